"""Where the tests' time went, by pytest's JUnit report: `slowest_files.py report.xml`, seconds of wall and CPU a file.

The CPU seconds are those of the tests' own processes, without the broker and the database server that all tests share.
"""

import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from dataclasses import dataclass

SHOWN = 25
CPU = "cpu_seconds"


@dataclass
class Spent:
    wall: float = 0.0
    cpu: float = 0.0

    def __iadd__(self, other: "Spent") -> "Spent":
        self.wall += other.wall
        self.cpu += other.cpu
        return self

    def __str__(self) -> str:
        return f"{self.wall:8.1f} {self.cpu:8.1f}"


def spent_by_file(report: ElementTree.Element) -> dict[str, Spent]:
    """Of setup, test and teardown together, longest first."""
    spent: dict[str, Spent] = defaultdict(Spent)
    for case in report.iter("testcase"):
        cpu = sum(float(str(one.get("value"))) for one in case.iter("property") if one.get("name") == CPU)
        spent[str(case.get("classname"))] += Spent(float(case.get("time") or 0), cpu)
    return dict(sorted(spent.items(), key=lambda item: -item[1].wall))


def table(report: ElementTree.Element) -> str:
    spent = list(spent_by_file(report).items())
    rest, whole = Spent(), Spent()
    for number, (_, one) in enumerate(spent):
        whole += one
        if number >= SHOWN:
            rest += one
    lines = [f"{'wall s':>8} {'CPU s':>8}", *(f"{one}  {name}" for name, one in spent[:SHOWN])]
    return "\n".join([*lines, f"{rest}  {max(0, len(spent) - SHOWN)} others", f"{whole}  all"])


if __name__ == "__main__":
    sys.stdout.write(table(ElementTree.parse(sys.argv[1]).getroot()) + "\n")
