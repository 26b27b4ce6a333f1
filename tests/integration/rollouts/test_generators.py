"""Rollouts of versions that answer with text: verdicts and references as feedback, and a task that stays."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from controlplane.store.database import Database
from controlplane.store.serving_tables import LabelRow
from schemas.outcomes import outcome_of
from tests.support import sinks
from tests.support.answers import ok
from tests.support.builders.models import GENERATOR, IDENTITY
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import CANARY, InProcess

METRICS = [{"name": "error", "margin": 0.1}, {"name": "wrong", "margin": 0.05}]
Words = Callable[..., str]
PLANTED = "a planted text that nobody may keep"


@pytest.fixture
def gateway(site: InProcess) -> Gateway:
    """Of a deployment whose canary is a generator beside another."""
    site.deploy(canary={**CANARY, "metrics": METRICS})
    site.first_champion(GENERATOR)
    gateway = Gateway(site)
    site.canary(gateway, version=site.version(identity=GENERATOR))
    gateway.observe(40)
    return gateway


def answer(gateway: Gateway, text: str = PLANTED) -> str:
    return gateway.prediction("canary", outcome_of(text))


def kept(site: InProcess) -> list[bool]:
    with site.database.read() as session:
        return list(session.exec(select(LabelRow.wrong).order_by(col(LabelRow.seq))))


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"label": "good"}, False),
        ({"label": "bad"}, True),
        ({"reference": PLANTED}, False),
        ({"reference": f"\n {PLANTED}  "}, False),
        ({"reference": PLANTED.upper()}, True),
        ({"reference": "good"}, True),
    ],
)
def test_a_verdict_or_a_reference_says_whether_a_text_was_wrong(
    site: InProcess, gateway: Gateway, said: dict[str, Any], wrong: bool
) -> None:
    assert ok(gateway.say(answer(gateway), **said)) == {"counted": True}
    assert kept(site) == [wrong]


def test_another_word_for_the_same_answer_is_refused_and_the_same_is_not(site: InProcess, gateway: Gateway) -> None:
    asked = answer(gateway)
    ok(gateway.say(asked, reference=PLANTED))
    assert ok(gateway.say(asked, label="good")) == {"counted": True}
    assert gateway.say(asked, label="bad").status_code == 409
    assert kept(site) == [False]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"label": "positive"}, "label"),
        ({"label": "Good"}, "label"),
        ({"label": PLANTED}, "label"),
        ({"reference": ""}, "reference"),
        ({"reference": PLANTED * 5000}, "reference"),
        ({"reference": None}, "body"),
        ({"label": "good", "reference": PLANTED}, "body"),
    ],
)
def test_what_cannot_be_said_of_a_text_is_refused_by_name_and_not_quoted(
    site: InProcess, gateway: Gateway, said: dict[str, Any], field: str
) -> None:
    refused = gateway.say(answer(gateway), **said)
    assert refused.status_code == 422
    told = refused.json()
    assert [fault["field"] for fault in told.get("errors", [told])] == [field]
    assert PLANTED not in refused.text
    assert kept(site) == []


def test_a_reference_to_an_answer_that_is_a_label_is_refused(site: InProcess) -> None:
    site.deploy(canary={**CANARY, "metrics": METRICS})
    site.first_champion()
    gateway = Gateway(site)
    refused = gateway.say(gateway.prediction("stable", "positive"), reference="positive")
    assert (refused.status_code, refused.json()["field"]) == (422, "reference")
    assert kept(site) == []


def test_a_reference_is_in_no_table_no_event_and_no_log(
    site: InProcess, gateway: Gateway, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ok(gateway.say(answer(gateway), reference=PLANTED))
    ok(gateway.say(answer(gateway), reference=f"not {PLANTED}"))
    gateway.say("made up", reference=PLANTED)
    assert kept(site) == [False, True]
    assert PLANTED not in repr(sinks.tables(database))
    assert PLANTED not in caplog.text


def test_the_command_line_reads_a_reference_from_a_file(
    site: InProcess, gateway: Gateway, words: Words, tmp_path: Path
) -> None:
    file = tmp_path / "answer.txt"
    file.write_text(f"{PLANTED}\n")
    assert words(f"feedback {answer(gateway)} --reference {file}", "feedback") == "counted\n"
    assert words(f"feedback {answer(gateway)} bad", "feedback") == "counted\n"
    assert kept(site) == [False, True]


def test_bad_texts_of_a_canary_are_harm(site: InProcess, gateway: Gateway) -> None:
    rollout_id = site.client("viewer").get("/v1/rollouts").json()["items"][0]["id"]
    for _ in range(60):
        gateway.observe(40)
        ok(gateway.say(gateway.prediction("stable", outcome_of(PLANTED)), label="good"))
        ok(gateway.say(gateway.prediction("canary", outcome_of(PLANTED)), label="bad"))
        site.turn()
        if site.rollout(rollout_id)["finished_at"]:
            break
        gateway.report()
    rollout = site.rollout(rollout_id)
    assert (rollout["phase"], rollout["verdict"]) == ("RolledBack", "HARM")
    assert "wrong" in rollout["reason"]


def test_classes_are_no_matter_between_generators(site: InProcess, gateway: Gateway) -> None:
    rollout = site.rollout(site.client("viewer").get("/v1/rollouts").json()["items"][0]["id"])
    [labels] = [gate for gate in rollout["gates"] if gate["gate"] == "labels"]
    assert (labels["status"], labels["reason"]) == ("NotApplicable", "an answer of this task is no class")


@pytest.mark.parametrize(
    ("serving", "next_one"),
    [(IDENTITY, GENERATOR), (GENERATOR, IDENTITY)],
    ids=["a generator next", "a classifier next"],
)
def test_a_deployment_keeps_its_task(site: InProcess, serving: Any, next_one: Any) -> None:
    site.first_champion(serving)
    refused = released(site, site.version(identity=next_one), waive_gates="try me")
    assert (refused.status_code, refused.json()["field"]) == (422, "model_version")
    kept, other = serving.task.type, next_one.task.type
    assert refused.json()["detail"].startswith(f"sentiment/2 is a version for {other}: expected one for {kept}")
    assert site.phases() == ["Promoted"]


def test_what_is_on_its_way_settles_the_task_of_what_waits_behind_it(site: InProcess) -> None:
    site.release(site.version(identity=GENERATOR))
    refused = released(site, site.version())
    assert (refused.status_code, refused.json()["field"]) == (422, "model_version")
    assert released(site, site.version(identity=GENERATOR)).status_code == 201


def released(site: InProcess, version: Any, **body: Any) -> Any:
    body = {"deployment": "reviews", "model_version": str(version), "reason": "a test", **body}
    return site.client("releaser").post("/v1/rollouts", json=body)
