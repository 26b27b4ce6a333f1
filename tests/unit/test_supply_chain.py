"""Every locked package is asked about, and an advisory passes only with a reason."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy import audit
from deploy.audit import findings, pins, unexplained
from deploy.sbom import LOCK, read_lock

TEXT = LOCK.read_text()


def test_every_package_is_asked_about_once() -> None:
    asked = pins(TEXT).split()
    assert len(asked) == len(set(asked))
    assert {one.name for one in read_lock(TEXT)} == {line.partition("==")[0] for line in asked}


def test_an_advisory_passes_only_with_a_reason() -> None:
    report: list[dict[str, Any]] = [
        {"name": "a", "version": "1", "vulns": [{"id": "GHSA-1"}, {"id": "GHSA-2"}, {"id": "GHSA-3"}]},
        {"name": "b", "version": "2", "skip_reason": "not found"},
    ]
    found = list(findings(report))
    assert [advisory for *_, advisory in found] == ["GHSA-1", "GHSA-2", "GHSA-3"]
    assert unexplained(found, {"GHSA-1": "we never call it", "GHSA-2": " "}) == found[1:]


def audited(monkeypatch: pytest.MonkeyPatch, probe: list[dict[str, Any]], lock: list[dict[str, Any]] | None) -> int:
    """What `make audit` ends with when pip-audit answers so; None: it writes no report."""

    def run(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        asked = Path(command[command.index("-r") + 1]).read_text()
        answer = probe if asked == audit.PROBE else lock
        if answer is not None:
            Path(command[command.index("-o") + 1]).write_text(json.dumps({"dependencies": answer}))
        return subprocess.CompletedProcess(command, 1, "", "no network")

    monkeypatch.setattr(subprocess, "run", run)
    return audit.main()


PROBED = [{"name": "idna", "version": "3.6", "vulns": [{"id": "CVE-2024-3651"}]}]
CLEAN: list[dict[str, Any]] = [
    {"name": line.partition("==")[0], "version": "1", "vulns": []} for line in pins(TEXT).split()
]


def test_a_clean_audit_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    assert audited(monkeypatch, PROBED, CLEAN) == 0


def test_a_known_vulnerability_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = [CLEAN[0] | {"vulns": [{"id": "GHSA-planted"}]}, *CLEAN[1:]]
    assert audited(monkeypatch, PROBED, found) == audit.FOUND == 1
    assert "GHSA-planted; upgrade it" in capsys.readouterr().out
    # … also where of other packages nothing is known.
    assert audited(monkeypatch, PROBED, found[:3]) == audit.FOUND


@pytest.mark.parametrize(
    ("probe", "lock"),
    [([PROBED[0] | {"vulns": []}], CLEAN), (PROBED, None), (PROBED, CLEAN[1:]), (PROBED, [])],
    ids=["no advisories", "no report", "one package unanswered", "nothing answered"],
)
def test_what_was_not_audited_is_no_success(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    probe: list[dict[str, Any]],
    lock: list[dict[str, Any]] | None,
) -> None:
    assert audited(monkeypatch, probe, lock) == audit.NOT_AUDITED == 3
    assert "NOT AUDITED" in capsys.readouterr().out
