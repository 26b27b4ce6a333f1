"""How many tests ran on each real part, from pytest's JUnit report: `count_by_backend.py report.xml`.

Ends with status 1 in CI (CI=true) when a part was met by fewer tests than it has, or when a test of Kafka, PostgreSQL
or the browser was skipped: a machine without them would pass everything else.
"""

import os
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

BACKENDS = ("kafka", "postgres", "sqlite", "browser")
AT_LEAST = {"kafka": 30, "postgres": 350, "sqlite": 350, "browser": 8}
"""A little below what there is (35, 404, more again and 9), and far above what is left when a fixture skips."""
NOT_HERE = "NOT RUN ON "
"""How a test's fixtures begin to say that a real part is missing; other reasons are a test's own."""
NEVER_SKIPPED = ("kafka", "postgres", "browser")


@dataclass
class Tally:
    passed: Counter[str] = field(default_factory=Counter)
    skipped: list[tuple[str, str, str]] = field(default_factory=list)
    """Backends, test and reason."""


def backends_of(case: ElementTree.Element) -> str:
    """By the properties that conftest records, and for a skipped test also by its reason."""
    marks = {str(p.get("value")) for p in case.iter("property") if p.get("name") == "backend"}
    skipped = case.find("skipped")
    reason = "" if skipped is None else str(skipped.get("message")).lower()
    marks |= {backend for backend in BACKENDS if f"not run on {backend}" in reason}
    return "+".join(backend for backend in BACKENDS if backend in marks) or "neither"


def count(report: ElementTree.Element) -> Tally:
    tally = Tally()
    for case in report.iter("testcase"):
        backends, reason = backends_of(case), case.find("skipped")
        if reason is not None:
            tally.skipped.append((backends, f"{case.get('classname')}.{case.get('name')}", str(reason.get("message"))))
        elif case.find("failure") is None and case.find("error") is None:
            tally.passed[backends] += 1
    return tally


def shortages(tally: Tally) -> Iterator[str]:
    for backend, least in AT_LEAST.items():
        found = sum(number for backends, number in tally.passed.items() if backend in backends.split("+"))
        if found < least:
            yield f"{found} tests passed on {backend}, expected at least {least}"
    for backends, test, reason in tally.skipped:
        if reason.startswith(NOT_HERE) and set(backends.split("+")) & set(NEVER_SKIPPED):
            yield f"{test} was skipped, and tests on {backends} may not be: {reason}"


def main(report: str) -> int:
    tally = count(ElementTree.parse(report).getroot())
    for backends, number in sorted(tally.passed.items()):
        print(f"{number:5d} tests passed on {backends}")
    for _, test, reason in tally.skipped:
        print(f"skipped: {test}: {reason}")
    wrong = list(shortages(tally))
    for line in wrong:
        print(f"NOT ENOUGH: {line}")
    return 1 if wrong and os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
