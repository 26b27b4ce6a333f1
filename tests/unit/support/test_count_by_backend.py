"""The count of tests by backend fails where a backend was not really tried."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.support.count_by_backend import AT_LEAST, main


def report(folder: Path, passed: dict[str, int], skipped: str = "", failed: int = 0) -> str:
    suite = ElementTree.Element("testsuite")
    for backend, count in passed.items():
        for number in range(count):
            case = ElementTree.SubElement(suite, "testcase", classname="tests.a", name=f"test_{backend}[{number}]")
            properties = ElementTree.SubElement(case, "properties")
            for one in backend.split("+"):
                ElementTree.SubElement(properties, "property", name="backend", value=one)
            if number < failed:
                ElementTree.SubElement(case, "failure", message="no")
    if skipped:
        case = ElementTree.SubElement(suite, "testcase", classname="tests.a", name="test_skipped")
        ElementTree.SubElement(case, "skipped", message=skipped)
    file = folder / "report.xml"
    ElementTree.ElementTree(suite).write(file)
    return str(file)


@pytest.fixture(autouse=True)
def in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")


def test_enough_of_each_passes(tmp_path: Path) -> None:
    assert main(report(tmp_path, AT_LEAST, skipped="NOT RUN: only glibc gives threads heaps of their own")) == 0


def test_a_test_on_two_backends_counts_for_both(tmp_path: Path) -> None:
    both = {**AT_LEAST, "postgres": AT_LEAST["postgres"] - 5, "kafka": AT_LEAST["kafka"] - 5}
    assert main(report(tmp_path, both | {"kafka+postgres": 5})) == 0


@pytest.mark.parametrize("backend", sorted(AT_LEAST))
def test_too_few_of_one_backend_fail(
    tmp_path: Path, backend: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = AT_LEAST | {backend: AT_LEAST[backend] - 1}
    assert main(report(tmp_path, found)) == 1
    said = f"{AT_LEAST[backend] - 1} tests passed on {backend}, expected at least {AT_LEAST[backend]}"
    assert said in capsys.readouterr().out
    monkeypatch.delenv("CI")  # where somebody has no broker the same is said, and nothing fails
    assert main(report(tmp_path, found)) == 0
    assert said in capsys.readouterr().out


def test_a_failed_test_has_not_passed(tmp_path: Path) -> None:
    assert main(report(tmp_path, AT_LEAST, failed=1)) == 1


@pytest.mark.parametrize("reason", ["NOT RUN ON KAFKA: no java", "NOT RUN ON POSTGRESQL: no initdb"])
def test_one_skipped_test_of_a_server_fails(tmp_path: Path, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(report(tmp_path, AT_LEAST, skipped=reason)) == 1
    assert f"tests.a.test_skipped was skipped, and tests on {reason.split()[3].lower()[:5]}" in capsys.readouterr().out


def test_an_empty_report_fails(tmp_path: Path) -> None:
    assert main(report(tmp_path, {})) == 1
