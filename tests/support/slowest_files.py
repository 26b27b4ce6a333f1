"""Where the tests' time went, by pytest's JUnit report: `slowest_files.py report.xml`, seconds a file."""

import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter

SHOWN = 25


def seconds_by_file(report: ElementTree.Element) -> Counter[str]:
    """Of setup, test and teardown together."""
    spent: Counter[str] = Counter()
    for case in report.iter("testcase"):
        spent[str(case.get("classname"))] += float(case.get("time") or 0)  # type: ignore[assignment]
    return spent


def table(report: ElementTree.Element) -> str:
    spent = seconds_by_file(report)
    longest = spent.most_common(SHOWN)
    rest = sum(spent.values()) - sum(seconds for _, seconds in longest)
    lines = [f"{seconds:8.1f}  {name}" for name, seconds in longest]
    return "\n".join([*lines, f"{rest:8.1f}  {max(0, len(spent) - SHOWN)} others"])


if __name__ == "__main__":
    sys.stdout.write(table(ElementTree.parse(sys.argv[1]).getroot()) + "\n")
