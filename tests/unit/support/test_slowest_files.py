"""The table of where the tests' time went adds up."""

import xml.etree.ElementTree as ElementTree

from tests.support.slowest_files import SHOWN, table


def report(*cases: tuple[str, float]) -> ElementTree.Element:
    written = "".join(f'<testcase classname="{name}" name="x" time="{seconds}"/>' for name, seconds in cases)
    return ElementTree.fromstring(f"<testsuites><testsuite>{written}</testsuite></testsuites>")


def test_files_come_longest_first_with_all_their_tests() -> None:
    found = table(report(("a", 1.5), ("b", 2.0), ("a", 1.0))).splitlines()
    assert [line.split() for line in found] == [["2.5", "a"], ["2.0", "b"], ["0.0", "0", "others"]]


def test_what_is_not_shown_is_summed() -> None:
    found = table(report(*((f"file{number}", 10.0 + number) for number in range(SHOWN)), ("x", 1.0), ("y", 2.0)))
    assert found.splitlines()[-1].split() == ["3.0", "2", "others"]
    assert len(found.splitlines()) == SHOWN + 1
