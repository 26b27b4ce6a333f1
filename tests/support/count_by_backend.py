"""Prints how many tests ran on each real part, from pytest's JUnit report: `count_by_backend.py report.xml`."""

import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter

BACKENDS = ("kafka", "postgres", "sqlite")


def backend_of(case: ElementTree.Element) -> str:
    """By the fixture's parameter in the test's id, else by the properties that conftest records."""
    marks = {p.get("value") for p in case.iter("property") if p.get("name") == "backend"}
    return "+".join(b for b in BACKENDS if b in marks) or "neither"


def main(report: str) -> None:
    ran: Counter[str] = Counter()
    skipped: list[tuple[str, str]] = []
    for case in ElementTree.parse(report).iter("testcase"):
        reason = case.find("skipped")
        if reason is not None:
            skipped.append((f"{case.get('classname')}.{case.get('name')}", reason.get("message") or ""))
        else:
            ran[backend_of(case)] += 1
    for backend, count in sorted(ran.items()):
        print(f"{count:5d} tests ran on {backend}")
    for name, reason in skipped:
        print(f"skipped: {name}: {reason}")


if __name__ == "__main__":
    main(sys.argv[1])
