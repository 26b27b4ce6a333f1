"""What we ship is listed whole, and an advisory passes only with a reason."""

from typing import Any

from deploy.audit import findings, pins, unexplained
from deploy.sbom import LOCK, document, read_lock

TEXT = LOCK.read_text()


def test_every_package_of_the_lock_is_in_the_document_with_its_hashes() -> None:
    components = document(TEXT, "1.0")["components"]
    lines = [line for line in TEXT.splitlines() if line and not line[0].isspace()]
    assert len(components) == len(lines) > 100
    hashes = [entry["value"] for one in components for entry in one["properties"] if "sha256" in entry["name"]]
    assert len(hashes) == TEXT.count("--hash=sha256:")
    assert len({one["bom-ref"] for one in components}) == len(components)
    by_name = {one["name"]: one for one in components}
    assert by_name["fastapi"]["purl"] == f"pkg:pypi/fastapi@{by_name['fastapi']['version']}"


def test_the_same_lock_gives_the_same_document_and_another_one_another_number() -> None:
    assert document(TEXT, "1.0") == document(TEXT, "1.0")
    assert document(TEXT, "1.0")["serialNumber"] != document(TEXT, "1.1")["serialNumber"]


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
