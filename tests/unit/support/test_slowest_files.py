"""The table of where the tests' time went adds up."""

import xml.etree.ElementTree as ElementTree

from tests.support.slowest_files import SHOWN, table


def report(*cases: tuple[str, float, float]) -> ElementTree.Element:
    written = "".join(
        f'<testcase classname="{name}" name="x" time="{wall}">'
        f'<properties><property name="cpu_seconds" value="{cpu}"/><property name="backend" value="kafka"/></properties>'
        "</testcase>"
        for name, wall, cpu in cases
    )
    return ElementTree.fromstring(f"<testsuites><testsuite>{written}</testsuite></testsuites>")


def test_files_come_longest_first_with_all_their_tests() -> None:
    found = table(report(("a", 1.5, 0.5), ("b", 2.0, 4.0), ("a", 1.0, 0.25))).splitlines()
    assert [line.split() for line in found[1:]] == [
        ["2.5", "0.8", "a"],
        ["2.0", "4.0", "b"],
        ["0.0", "0.0", "0", "others"],
        ["4.5", "4.8", "all"],
    ]


def test_what_is_not_shown_is_summed() -> None:
    shown = [(f"file{number}", 10.0 + number, 1.0) for number in range(SHOWN)]
    found = table(report(*shown, ("x", 1.0, 0.5), ("y", 2.0, 0.5))).splitlines()
    assert found[-2].split() == ["3.0", "1.0", "2", "others"]
    assert len(found) == SHOWN + 3


def test_a_test_that_told_no_cpu_is_in_the_table() -> None:
    case = ElementTree.fromstring('<testsuite><testcase classname="a" time="1.0"/></testsuite>')
    assert table(case).splitlines()[1].split() == ["1.0", "0.0", "a"]
