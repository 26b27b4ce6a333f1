"""What docs/hostile.md says of a campaign that was not run, or was judged by an older judge, and of one that broke."""

import json
from pathlib import Path

from tests.support.processes import ROOT
from tests.support.stored_figures import stored_for
from tests.trials.hostile.outcome import JUDGE, Outcome, part

DOCUMENT = ROOT / "docs" / "hostile.md"


def test_what_was_not_measured_or_by_an_older_judge_says_so() -> None:
    assert "Not measured" in part(None)
    measured = {"conditions": "Today.", "judge": JUDGE, "lines": ["held: 0 faults"]}
    assert "older judge" not in part(measured)
    assert "older judge" in part({**measured, "judge": "9e47942"})


def test_a_campaign_that_is_kept_is_in_both(tmp_path: Path) -> None:
    document = tmp_path / "hostile.md"
    document.write_text(DOCUMENT.read_text())
    document.with_suffix(".json").write_text(json.dumps(stored_for(DOCUMENT)))
    Outcome("gateway", ["gateway: 2,000"], ["a fault"]).keep(document)
    assert stored_for(document)["gateway"]["lines"][-1] == "BROKEN: 1 faults"
    assert part(stored_for(document)["gateway"]) in document.read_text()
