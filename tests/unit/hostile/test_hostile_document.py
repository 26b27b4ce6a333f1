"""docs/hostile.md says what docs/hostile.json holds, and what was not measured or judged by an older judge."""

import json
import re
from pathlib import Path

from tests.hostile.outcome import JUDGE, Outcome, check_document, part
from tests.support.processes import ROOT

DOCUMENT = ROOT / "docs" / "hostile.md"
STORED = json.loads(DOCUMENT.with_suffix(".json").read_text())


def parts(document: Path) -> dict[str, str]:
    found = re.findall(r"<!-- ([^/][^>]*) -->\n(.*?)\n<!-- /\1 -->", document.read_text(), re.DOTALL)
    return dict(found)


def test_every_figure_of_the_document_is_stored() -> None:
    assert parts(DOCUMENT) == {name: part(stored) for name, stored in STORED.items()}


def test_what_was_not_measured_or_by_an_older_judge_says_so() -> None:
    assert "Not measured" in part(None)
    measured = {"conditions": "Today.", "judge": JUDGE, "lines": ["held: 0 faults"]}
    assert "older judge" not in part(measured)
    assert "older judge" in part({**measured, "judge": "9e47942"})


def test_a_campaign_that_is_kept_is_in_both(tmp_path: Path) -> None:
    document = tmp_path / "hostile.md"
    document.write_text(DOCUMENT.read_text())
    document.with_suffix(".json").write_text(json.dumps(STORED))
    check_document(document, "gateway")
    Outcome("gateway", ["gateway: 2,000"], ["a fault"]).keep(document)
    stored = json.loads(document.with_suffix(".json").read_text())
    assert stored["gateway"]["lines"][-1] == "BROKEN: 1 faults"
    assert parts(document) == {name: part(one) for name, one in stored.items()}
