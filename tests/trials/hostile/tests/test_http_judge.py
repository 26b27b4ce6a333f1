"""A campaign over HTTP that learned nothing does not hold: planted records of servers that nobody may ship."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.trials.hostile.http_campaign import Campaign
from tests.trials.hostile.http_judge import outcome_of
from tests.trials.hostile.http_settings import Effort
from tests.trials.hostile.http_tally import Tally, read_tally

GUARDED = [f"GET /v1/{number}" for number in range(68)]


def tally(identity: str, cases: int = 5_000, status: str = "200", reached: int = 0) -> Tally:
    return Tally(identity, Counter(fuzzing=cases), Counter({status: cases}), {"GET /healthz", *GUARDED[:reached]})


def faults(*tallies: Tally, wanted: int = 10_000) -> str:
    return "\n".join(outcome_of("api on sqlite", tallies, wanted, GUARDED).faults)


def test_what_whole_and_short_runs_reached_holds() -> None:
    assert faults(tally("nobody", status="401"), tally("admin", reached=49)) == ""
    assert faults(tally("nobody", 70, "401"), tally("admin", 1_000, reached=44), wanted=1_000) == ""
    assert faults(tally("admin", 500, reached=34), wanted=300) == ""


def test_a_server_that_refuses_everybody_is_found() -> None:
    refused = faults(tally("nobody", status="401"), tally("admin", 10_000, "401"))
    assert refused == "an admin got success at 0 of 68 operations behind a token, expected 34"
    assert "at 0 of 68" in faults(tally("admin", 500, "401"), wanted=300)


def test_success_of_others_is_not_the_admins() -> None:
    assert "an admin got success at 3 of 68" in faults(tally("viewer", reached=60), tally("admin", reached=3))


def test_a_server_without_an_operation_behind_a_token_is_found() -> None:
    assert "of 0 operations" in "".join(outcome_of("api", [tally("admin", 10_000)], 10_000, []).faults)


def test_a_campaign_that_sent_too_little_or_nothing_is_found() -> None:
    assert "6000 cases were sent, 10000 were asked for" in faults(tally("viewer", 1_000), tally("admin", reached=60))
    assert "a run as viewer sent nothing" in faults(tally("viewer", 0), tally("admin", 10_000, reached=60))


def test_without_an_admin_nothing_is_asked_but_that_something_was_sent() -> None:
    assert faults(tally("nobody", 1_250, "401")) == ""
    assert faults(tally("nobody", 0)) == "a run as nobody sent nothing"


def test_operations_that_nobody_got_success_from_are_named() -> None:
    text = outcome_of("api", [tally("admin", reached=66)], 5_000, GUARDED).text()
    assert "66 of 68\nthose that never did: GET /v1/66, GET /v1/67\n" in text


def test_a_campaign_ends_when_the_server_has() -> None:
    """A run that cannot read the OpenAPI sends nothing, and says so."""
    seeds = []

    def dies_after_one(identity: str, _effort: Effort, seed: int) -> Tally:
        seeds.append(seed)
        return tally(identity, 100 if seed == 1 else 0)

    tallies = Campaign(dies_after_one, 70, 1).run(10_000, ["admin"], covered=True)
    assert seeds == [1, 2]
    assert "a run as admin sent nothing" in faults(*tallies)


def test_those_who_are_alone_send_all_of_it() -> None:
    efforts = {}

    def note(identity: str, effort: Effort, _seed: int) -> Tally:
        efforts[identity] = effort.fuzz * 70
        return tally(identity, 10_000)

    Campaign(note, 70, 1).run(10_000, ["nobody"], covered=False)
    assert efforts["nobody"] == pytest.approx(10_000, rel=0.01)
    Campaign(note, 70, 1).run(10_000, ["nobody", "admin"], covered=False)
    assert efforts["nobody"] == pytest.approx(1_250, rel=0.05)


def test_a_record_tells_success_from_faults_and_from_no_answer(tmp_path: Path) -> None:
    answers: dict[str, int | None] = {"/ok": 201, "/refused": 401, "/broken": 500, "/gone": None}
    recorder: dict[str, Any] = {
        "cases": {path: {"value": {"method": "GET", "path": path}} for path in answers},
        "interactions": {
            path: {"response": None if status is None else {"status_code": status}} for path, status in answers.items()
        },
    }
    line = json.dumps({"ScenarioFinished": {"phase": "fuzzing", "recorder": recorder}})
    (tmp_path / "events.ndjson").write_text(f'{{"Initialize": {{}}}}\n{line}\n')
    found = read_tally("admin", tmp_path / "events.ndjson")
    assert found.cases == Counter(fuzzing=4)
    assert found.reached == {"GET /ok"}
    assert found.server_errors == Counter({"500 GET /broken": 1, "no answer GET /gone": 1})
    assert read_tally("admin", tmp_path / "none").cases.total() == 0
