"""Planted into effects, keys and what gateways did: the auditor has to find each."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from controlplane.store.serving_tables import (
    AppliedRow,
    GatewayBootRow,
    LabelRow,
    ObservationRow,
    RollbackRow,
)
from controlplane.store.spine_tables import (
    DeadLetterRow,
    EventRow,
    IdempotencyRow,
    InboxRow,
    ParkedEventRow,
)
from controlplane.store.tables import (
    AttachmentRow,
    JobRow,
    ModelVersionRow,
    PipelineRunRow,
    TriggerEvaluationRow,
)
from schemas.facts import (
    JobSucceeded,
)
from tests.trials.chaos.invariants.expected import Answer, Cut, Expected, Pause, Request, Trouble
from tests.trials.chaos.tests.audited import DEPLOYMENT, SOURCE, AuditedWorld
from tests.trials.chaos.tests.plants import NOBODY, Plant, clone, first, found_by, now


def event_is_lost(site: AuditedWorld) -> None:
    site.expected.events.add((SOURCE, "never came"))


def trigger_answers_twice(site: AuditedWorld) -> None:
    row = first(site, TriggerEvaluationRow, TriggerEvaluationRow.outcome == "condition_not_met")
    site.add(TriggerEvaluationRow(**{**row.model_dump(), "seq": None}))


def fact_was_never_heard(site: AuditedWorld) -> None:
    """Reactions passed it, as when a cursor moves before its effect."""
    fact = site.facts(EventRow.type == JobSucceeded.TYPE)[0]
    site.change(EventRow, EventRow.seq == fact.seq, time=now(site) + timedelta(hours=1))
    site.remove(TriggerEvaluationRow, TriggerEvaluationRow.event_id == str(fact.id))


def run_that_nothing_fired(site: AuditedWorld) -> None:
    site.change(TriggerEvaluationRow, TriggerEvaluationRow.outcome == "fired", run_id=uuid4())


def good_event_is_buried(site: AuditedWorld) -> None:
    letter: dict[str, Any] = {
        "consumer": "inbound",
        "topic": "graftwork.inbound",
        "partition": 0,
        "offset": 1,
        "reason": "unreadable",
    }
    site.add(DeadLetterRow(**letter, headers=[["ce_id", "eA=="]], at=now(site)))


def fact_is_parked(site: AuditedWorld) -> None:
    site.add(ParkedEventRow(seq=3, subject="job/x", reason="too large", at=now(site)))


def key_is_answered_twice(site: AuditedWorld) -> None:
    row = first(site, IdempotencyRow)
    other = row.body.replace('"', "'") or "another"
    site.expected.answers += [
        Answer(row.route, row.key, row.status, row.body),
        Answer(row.route, row.key, row.status, other),
    ]


def answer_was_not_stored(site: AuditedWorld) -> None:
    site.expected.answers.append(Answer("POST /v1/jobs", "a key", 201, "{}"))


def job_without_a_key(site: AuditedWorld) -> None:
    """As when a repeat did it again."""
    site.jobs.request()


def user_is_failed(site: AuditedWorld) -> None:
    site.expected.requests.append(Request("gateway-1", 1.0, 2.0, 500))


def user_is_told_that_a_good_request_is_not(site: AuditedWorld) -> None:
    site.expected.requests.append(Request("gateway-1", 1.0, 2.0, 422))


def user_is_turned_away_by_a_gateway_that_nobody_hurt(site: AuditedWorld) -> None:
    site.expected.troubles += [Trouble("gateway-2", 0.0, 9.0), Trouble("gateway-1", 3.0, 9.0)]
    site.expected.requests.append(Request("gateway-1", 1.0, 2.0, 503))


def user_is_hung_up_on_by_a_gateway_that_nobody_hurt(site: AuditedWorld) -> None:
    site.expected.troubles.append(Trouble("gateway-1", 0.0, 0.9))
    site.expected.requests.append(Request("gateway-1", 1.0, 9.0, None))


def user_of_a_later_round_is_failed(site: AuditedWorld) -> None:
    """The rounds before had as many requests."""
    site.expected.requests += [Request("gateway-1", 1.0, 2.0, 200)] * 3
    assert site.look() == []
    site.expected = Expected(requests=[*[Request("gateway-1", 3.0, 4.0, 200)] * 2, Request("gateway-1", 3.0, 4.0, 500)])


def unit_is_counted_twice(site: AuditedWorld) -> None:
    """As when a journal is told again as what was lost."""
    row = first(site, ObservationRow)
    units = sum(entry[arm]["units"] for entry in row.generations for arm in ("stable", "canary"))
    asked = row.second - 1.5
    site.expected.requests += [Request("gateway-1", asked, row.second + 0.5, 200)] * units
    assert site.look() == []
    clone(site, ObservationRow, boot=uuid4(), second=row.second, lost=True)


def event_was_received_and_nobody_asked(site: AuditedWorld) -> None:
    site.arrive("unasked")
    assert site.look() == []
    site.expected.events.add((SOURCE, "only received"))
    clone(site, InboxRow, event_id="only received", source=SOURCE)


def version_of_a_job_is_missing(site: AuditedWorld) -> None:
    """Its success was committed, the version would have been next."""
    site.change(JobRow, JobRow.kind == "train", outputs={"model_version": str(uuid4())})


def version_is_another_jobs(site: AuditedWorld) -> None:
    job = first(site, JobRow, JobRow.kind == "train")
    other = first(site, ModelVersionRow, ModelVersionRow.job_id != job.id)
    site.change(JobRow, JobRow.id == job.id, outputs={"model_version": str(other.id)})


def export_without_its_graph(site: AuditedWorld) -> None:
    site.remove(AttachmentRow, AttachmentRow.kind == "export")


def run_is_lost(site: AuditedWorld) -> None:
    site.expected.runs.add(NOBODY)


def rollback_is_lost(site: AuditedWorld) -> None:
    site.expected.rollbacks.add(NOBODY)


def run_without_a_key(site: AuditedWorld) -> None:
    """As when a repeat started it again."""
    clone(site, PipelineRunRow, id=uuid4(), trigger=None)


def rollback_without_a_key(site: AuditedWorld) -> None:
    version = first(site, ModelVersionRow).id
    said: dict[str, Any] = {"deployment": DEPLOYMENT, "target": version, "previous": version, "phase": "Succeeded"}
    moments = {"deadline": now(site), "created_at": now(site), "finished_at": now(site)}
    site.add(RollbackRow(**said, **moments, probe=uuid4(), unconfirmed=[], reason="again", actor="twice"))


def user_waits_for_a_gateway_that_nobody_stopped(site: AuditedWorld) -> None:
    site.expected.pauses += [Pause("gateway-2", 1.5), Pause("gateway-1", 0.5), Pause("gateway-1", 7.0)]
    site.expected.requests.append(Request("gateway-1", 1.0, 6.5, 504))


def canary_without_a_lease(site: AuditedWorld) -> None:
    site.expected.cuts.append(Cut("gateway-1", 100.0, 130.0, 4.0))
    site.expected.requests += [
        Request("gateway-1", 104.0, 104.1, 200, "canary", "r"),
        Request("gateway-1", 110.0, 110.1, 200, "canary", "r"),
    ]


def label_is_lost(site: AuditedWorld) -> None:
    site.expected.feedback["an accepted prediction id"] = True


def label_was_answered_otherwise(site: AuditedWorld) -> None:
    site.remove(LabelRow)
    site.arrive("again")
    prediction = "p"
    digest = "148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940"
    site.expected.feedback[prediction] = True
    clone(site, LabelRow, seq=None, prediction_digest=digest, unit="other", counted=False)


def unit_has_two_labels(site: AuditedWorld) -> None:
    clone(site, LabelRow, seq=None, prediction_digest="0" * 64, counted=False)


def more_weight_than_desired(site: AuditedWorld) -> None:
    row = first(site, ObservationRow)
    entry = {**row.generations[0], "applied_weight": 0.9}
    site.change(ObservationRow, ObservationRow.second == row.second, generations=[entry])


def weight_of_no_generation(site: AuditedWorld) -> None:
    boot = first(site, GatewayBootRow)
    said: dict[str, Any] = {"deployment": DEPLOYMENT, "gateway": "gateway-1", "generation": 99, "applied_weight": 0.0}
    site.add(AppliedRow(**said, boot=boot.boot, at=now(site)))


def canary_units_without_weight(site: AuditedWorld) -> None:
    row = first(site, ObservationRow)
    entry = {**row.generations[0], "applied_weight": 0.0, "canary": {"units": 3, "error": 0}}
    site.change(ObservationRow, ObservationRow.second == row.second, generations=[entry])


def two_lives_of_one_gateway(site: AuditedWorld) -> None:
    clone(site, GatewayBootRow, boot=uuid4())


PLANTS: dict[Plant, str] = {
    event_is_lost: "accepted, and it never had its effect",
    trigger_answers_twice: "answered it 2 times",
    fact_was_never_heard: "trigger on-facts never heard of it",
    run_that_nothing_fired: "do not know each other",
    good_event_is_buried: "was good: unreadable",
    fact_is_parked: "the relay has parked it",
    key_is_answered_twice: "or otherwise",
    answer_was_not_stored: "the answer that is stored is another one, or none",
    job_without_a_key: "an effect without its key",
    user_is_failed: "answered 500 to a good request",
    user_is_told_that_a_good_request_is_not: "answered 422 to a good request",
    user_is_turned_away_by_a_gateway_that_nobody_hurt: "answered 503 to a good request",
    user_is_hung_up_on_by_a_gateway_that_nobody_hurt: "gateway-1 did not answer a good request",
    user_of_a_later_round_is_failed: "answered 500 to a good request",
    unit_is_counted_twice: "were counted from second",
    event_was_received_and_nobody_asked: "received, and no trigger was asked",
    version_of_a_job_is_missing: "what it made is not there",
    version_is_another_jobs: "what it made is not there",
    export_without_its_graph: "what it made is not there",
    run_is_lost: "accepted, and it does not exist",
    rollback_is_lost: "accepted, and it does not exist",
    run_without_a_key: "no stored answer of POST /v1/pipelines/…:run has made it",
    rollback_without_a_key: "no stored answer of POST /v1/deployments/…:rollback has made it",
    user_waits_for_a_gateway_that_nobody_stopped: "answered 504 to a good request",
    canary_without_a_lease: "served the canary of rollout r 10 s after it was cut off",
    label_is_lost: "was accepted and is not kept",
    label_was_answered_otherwise: "was answered counted=True, it is False",
    unit_has_two_labels: "has 2 labels",
    more_weight_than_desired: "applied weight 0.9",
    weight_of_no_generation: "of generation 99",
    canary_units_without_weight: "gave a canary without weight 3 units",
    two_lives_of_one_gateway: "2 of its lives go on at once",
}


@pytest.mark.parametrize("plant", list(PLANTS), ids=lambda plant: plant.__name__)
def test_what_was_planted_is_found(plant: Plant, site: AuditedWorld) -> None:
    plant(site)
    found_by(site.look, PLANTS[plant])
    assert site.look() == [], "said once is enough"


def test_an_event_that_was_meant_to_be_buried_may_be(site: AuditedWorld) -> None:
    good_event_is_buried(site)
    site.expected.poison.add(("", "x"))
    assert site.look() == []


def test_a_gateway_that_was_killed_may_be_away_until_it_serves_again(site: AuditedWorld) -> None:
    site.expected.troubles.append(Trouble("gateway-1", 1.5, 5.0))
    for asked, answered, status in ((1.0, 2.0, None), (2.0, 2.1, 503), (4.9, 13.0, None)):
        site.expected.requests.append(Request("gateway-1", asked, answered, status))
    assert site.look() == []


def test_a_request_that_was_in_a_stopped_gateways_hands_may_pass_its_deadline(site: AuditedWorld) -> None:
    site.expected.pauses.append(Pause("gateway-1", 1.5))
    site.expected.requests.append(Request("gateway-1", 1.0, 6.5, 504))
    assert site.look() == []
