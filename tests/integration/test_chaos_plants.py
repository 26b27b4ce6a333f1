"""Each thing that must not be, planted into a good history: the auditor has to find it, or a check is a defect."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import SQLModel, col, select

from controlplane.commands.cursors import FACTS
from controlplane.store.database import Database
from controlplane.store.serving_tables import (
    AppliedRow,
    DecisionRow,
    DeploymentRow,
    GatewayBootRow,
    GenerationRow,
    LabelRow,
    ObservationRow,
    RollbackRow,
    RolloutRow,
)
from controlplane.store.spine_tables import (
    CursorRow,
    DeadLetterRow,
    EventRow,
    IdempotencyRow,
    InboxRow,
    LeaseRow,
    ParkedEventRow,
)
from controlplane.store.tables import (
    AliasHistoryRow,
    AliasRow,
    AttachmentRow,
    DatasetVersionRow,
    JobLogRow,
    JobRow,
    ModelVersionRow,
    PipelineRunRow,
    TriggerEvaluationRow,
)
from schemas.events import (
    AliasMoved,
    JobRequested,
    JobStarted,
    JobSucceeded,
    ModelVersionCreated,
    RolloutAdvanced,
    RolloutFinished,
)
from tests.chaos.invariants import AliasMove, Answer, Auditor, Cut, Request
from tests.support.audited_site import DEPLOYMENT, MODEL, SOURCE, AuditedSite, audited

Plant = Callable[[AuditedSite], None]
YEARS = timedelta(days=1000)
NOBODY = UUID(int=0)


@pytest.fixture(scope="module")
def template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lived-in site's folder, to be copied."""
    folder = tmp_path_factory.mktemp("lived")
    shutil.copy(sqlite_template, folder / "graftwork.db")
    database = Database(f"sqlite:///{folder / 'graftwork.db'}")
    with audited(database, folder / "artifacts") as site:
        site.live()
        (folder / "expected.txt").write_text(repr_expected(site))
    database.close()
    return folder


def repr_expected(site: AuditedSite) -> str:
    return "\n".join(sorted(str(job) for job in site.expected.jobs))


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def opened(folder: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{folder / 'graftwork.db'}")
    yield database
    database.close()


@pytest.fixture
def site(opened: Database, folder: Path) -> Iterator[AuditedSite]:
    with audited(opened, folder / "artifacts") as one:
        one.expected.jobs |= {UUID(line) for line in (folder / "expected.txt").read_text().splitlines()}
        yield one


# --- what a planter has at hand ---------------------------------------------------------------------------------------


def record(site: AuditedSite, fact: type[Any], subject: str, **data: Any) -> None:
    """A fact that the control plane never announced."""
    with site.database.begin("intruder") as uow:
        uow.record(fact(**data), subject)


def job(site: AuditedSite, phase: str = "Succeeded") -> JobRow:
    with site.database.read() as session:
        return session.exec(select(JobRow).where(JobRow.phase == phase, JobRow.kind == "curate")).first()  # type: ignore[return-value]


def started(site: AuditedSite) -> JobRow:
    """A job that runs, as it should."""
    site.request()
    site.jobs.claimed()
    return job(site, "Running")


def clone(site: AuditedSite, row_type: type[SQLModel], **changes: Any) -> None:
    with site.database.read() as session:
        row = session.exec(select(row_type)).first()
        assert row is not None
        values = {**row.model_dump(), **changes}
    site.add(row_type(**values))


def first(site: AuditedSite, row_type: type[Any], *where: Any) -> Any:
    with site.database.read() as session:
        found = session.exec(select(row_type).where(*where)).first()
        assert found is not None
        return found


def now(site: AuditedSite) -> Any:
    with site.database.begin("test") as uow:
        return uow.now()


# --- the log ----------------------------------------------------------------------------------------------------------


def fact_is_gone(site: AuditedSite) -> None:
    site.remove(EventRow, EventRow.seq == 3)


def cause_is_unknown(site: AuditedSite) -> None:
    site.change(EventRow, EventRow.seq == 5, causationid=str(uuid4()))


def cause_comes_later(site: AuditedSite) -> None:
    site.change(EventRow, EventRow.seq == 5, causationid=str(site.facts()[-1].id))


def token_in_a_fact(site: AuditedSite) -> None:
    site.expected.secrets.add(site.admin_token)
    row = first(site, EventRow)
    site.change(EventRow, EventRow.seq == row.seq, data={**row.data, "note": f"by {site.admin_token}"})


def text_in_a_log_line(site: AuditedSite) -> None:
    site.expected.secrets.add("a dreadful film")
    site.change(JobLogRow, line="row 3: a dreadful film")


# --- state and its announcement ---------------------------------------------------------------------------------------


def version_without_a_fact(site: AuditedSite) -> None:
    clone(site, ModelVersionRow, id=uuid4(), version=9)


def fact_without_a_version(site: AuditedSite) -> None:
    said = {"model": MODEL, "model_version_id": NOBODY, "version": 9, "adapter_digest": "x", "job_id": NOBODY}
    record(site, ModelVersionCreated, f"model/{MODEL}", **said)


def fact_told_twice(site: AuditedSite) -> None:
    row = first(site, EventRow, EventRow.type == ModelVersionCreated.TYPE)
    site.add(EventRow(**{**row.model_dump(), "seq": None, "id": uuid4()}))


def event_received_without_a_fact(site: AuditedSite) -> None:
    site.add(InboxRow(consumer="inbound", source=SOURCE, event_id="99", at=now(site)))


# --- jobs -------------------------------------------------------------------------------------------------------------


def job_ends_twice(site: AuditedSite) -> None:
    row = job(site)
    record(site, JobSucceeded, f"job/{row.id}", job_id=row.id, kind="curate", attempt=row.attempt)


def two_hold_the_lease(site: AuditedSite) -> None:
    row = started(site)
    record(site, JobStarted, f"job/{row.id}", job_id=row.id, kind="curate", attempt=2, owner="another")
    site.change(JobRow, JobRow.id == row.id, attempt=2)


def reclaimed_under_the_same_fence(site: AuditedSite) -> None:
    row = started(site)
    record(site, JobRequested, f"job/{row.id}", job_id=row.id, kind="curate", attempt=1)
    record(site, JobStarted, f"job/{row.id}", job_id=row.id, kind="curate", attempt=1, owner="another")


def ended_by_a_stale_fence(site: AuditedSite) -> None:
    row = started(site)
    record(site, JobRequested, f"job/{row.id}", job_id=row.id, kind="curate", attempt=1)
    record(site, JobStarted, f"job/{row.id}", job_id=row.id, kind="curate", attempt=2, owner="another")
    record(site, JobSucceeded, f"job/{row.id}", job_id=row.id, kind="curate", attempt=1)


def ended_while_nobody_held_it(site: AuditedSite) -> None:
    job_id = site.request()
    record(site, JobSucceeded, f"job/{job_id}", job_id=job_id, kind="curate", attempt=0)


def state_and_facts_differ(site: AuditedSite) -> None:
    site.change(JobRow, JobRow.id == started(site).id, attempt=7)


def accepted_job_is_lost(site: AuditedSite) -> None:
    site.expected.jobs.add(NOBODY)


def accepted_job_never_ends(site: AuditedSite) -> None:
    site.request()


def two_datasets_of_one_job(site: AuditedSite) -> None:
    clone(site, DatasetVersionRow, id=uuid4(), version=9)


def dataset_of_a_job_that_runs(site: AuditedSite) -> None:
    clone(site, DatasetVersionRow, id=uuid4(), version=9, job_id=started(site).id)


def success_without_outputs(site: AuditedSite) -> None:
    site.change(JobRow, JobRow.id == job(site).id, outputs=None)


def line_of_a_stale_attempt(site: AuditedSite) -> None:
    site.add(JobLogRow(job_id=job(site).id, attempt=1, at=now(site) + timedelta(seconds=5), line="still here"))


def lease_of_the_workers_clock(site: AuditedSite) -> None:
    site.change(JobRow, JobRow.id == started(site).id, lease_until=now(site) + YEARS)


def finished_job_holds_a_lease(site: AuditedSite) -> None:
    site.change(JobRow, JobRow.id == job(site).id, claim_id=uuid4())


def running_job_that_nobody_holds(site: AuditedSite) -> None:
    site.change(JobRow, JobRow.id == started(site).id, lease_until=None)


# --- pointers ---------------------------------------------------------------------------------------------------------


def fact_moves_from_elsewhere(site: AuditedSite) -> None:
    last = site.facts(EventRow.type == AliasMoved.TYPE)[-1]
    site.change(EventRow, EventRow.seq == last.seq, data={**last.data, "previous": str(NOBODY)})


def history_is_broken(site: AuditedSite) -> None:
    site.change(AliasHistoryRow, col(AliasHistoryRow.previous).is_not(None), previous=NOBODY)


def history_lost_a_move(site: AuditedSite) -> None:
    site.remove(AliasHistoryRow, AliasHistoryRow.alias == "challenger")


def pointer_is_elsewhere(site: AuditedSite) -> None:
    moves = first(site, AliasHistoryRow, AliasHistoryRow.alias == "challenger")
    site.change(AliasRow, AliasRow.alias == "challenger", model_version_id=moves.model_version_id)


def pointer_is_gone(site: AuditedSite) -> None:
    site.remove(AliasRow, AliasRow.alias == "challenger")


def accepted_move_is_lost(site: AuditedSite) -> None:
    site.expected.moves.add(AliasMove(NOBODY, MODEL, "challenger", None, None))


def two_moves_on_one_etag(site: AuditedSite) -> None:
    """As without compare-and-swap: both were accepted on top of the same move."""
    version = first(site, ModelVersionRow).id
    base = site.point("challenger", version)
    winner, loser = site.point("challenger", version), site.point("challenger", version)
    site.expected.moves -= {loser}
    site.expected.moves.add(AliasMove(loser.id, MODEL, "challenger", version, winner.expected))
    assert winner.expected == base.id


def generation_is_missing(site: AuditedSite) -> None:
    site.remove(GenerationRow, GenerationRow.generation == 2)


def serves_another_than_the_champion(site: AuditedSite) -> None:
    current = first(site, DeploymentRow).generation
    earlier = first(site, GenerationRow, GenerationRow.generation == 1)
    other = first(site, ModelVersionRow, ModelVersionRow.id != earlier.probe_version).id
    champion = first(site, AliasRow, AliasRow.alias == "champion").model_version_id
    assert other == champion
    site.change(GenerationRow, GenerationRow.generation == current, stable=earlier.probe_version)


def canary_without_a_rollout(site: AuditedSite) -> None:
    current = first(site, DeploymentRow).generation
    site.change(GenerationRow, GenerationRow.generation == current, weight=0.5)


def rollout_goes_on_after_its_end(site: AuditedSite) -> None:
    row = first(site, RolloutRow)
    said = {"rollout_id": row.id, "deployment": DEPLOYMENT, "phase": "Progressing", "step": 1, "weight": 0.5}
    record(site, RolloutAdvanced, f"rollout/{row.id}", **said, reason="a ghost")


def rollout_is_lost(site: AuditedSite) -> None:
    site.expected.rollouts.add(NOBODY)


def rollout_ended_otherwise(site: AuditedSite) -> None:
    last = site.facts(EventRow.type == RolloutFinished.TYPE)[-1]
    site.change(EventRow, EventRow.seq == last.seq, data={**last.data, "phase": "Aborted"})


def nobody_folds_it(site: AuditedSite) -> None:
    site.change(RolloutRow, phase="Progressing", folded_at=now(site) - YEARS)


def verification_has_no_end(site: AuditedSite) -> None:
    site.change(RolloutRow, phase="Verifying", probe_deadline=now(site) - YEARS)


def queue_does_not_move(site: AuditedSite) -> None:
    site.change(RolloutRow, phase="Queued")


def rollback_has_no_end(site: AuditedSite) -> None:
    at = now(site) - YEARS
    version = first(site, ModelVersionRow).id
    wanted: dict[str, Any] = {
        "deployment": DEPLOYMENT,
        "target": version,
        "previous": version,
        "probe": uuid4(),
        "deadline": at,
    }
    site.add(RollbackRow(**wanted, unconfirmed=[], reason="", actor="", created_at=at))


def run_without_work(site: AuditedSite) -> None:
    site.change(PipelineRunRow, phase="Running")


def decision_was_changed(site: AuditedSite) -> None:
    row = first(site, DecisionRow, DecisionRow.kind == "gates")
    site.change(DecisionRow, DecisionRow.id == row.id, inputs={**row.inputs, "gates": []})


# --- artifacts --------------------------------------------------------------------------------------------------------


def stored(site: AuditedSite, digest: str) -> Path:
    name = digest.removeprefix("sha256:")
    return site.artifacts / "sha256" / name[:2] / name


def adapter_is_gone(site: AuditedSite) -> None:
    stored(site, first(site, ModelVersionRow).adapter["digest"]).unlink()


def part_of_a_dataset_is_gone(site: AuditedSite) -> None:
    stored(site, site.put("rows of first").digest).unlink()


def graph_is_half_written(site: AuditedSite) -> None:
    path = stored(site, first(site, AttachmentRow).data["graph"]["adapter"]["digest"])
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:3])


def checkpoint_was_never_stored(site: AuditedSite) -> None:
    reference = {"digest": "sha256:" + "9" * 64, "size": 1, "media_type": "x"}
    site.change(JobRow, JobRow.id == started(site).id, checkpoint={"artifact": reference, "step": 1})


# --- leases, effects, keys --------------------------------------------------------------------------------------------


def event_is_lost(site: AuditedSite) -> None:
    site.expected.events.add((SOURCE, "never came"))


def trigger_answers_twice(site: AuditedSite) -> None:
    row = first(site, TriggerEvaluationRow, TriggerEvaluationRow.outcome == "condition_not_met")
    site.add(TriggerEvaluationRow(**{**row.model_dump(), "seq": None}))


def fact_was_never_heard(site: AuditedSite) -> None:
    """Reactions passed it, as when a cursor moves before its effect."""
    fact = site.facts(EventRow.type == JobSucceeded.TYPE)[0]
    site.change(EventRow, EventRow.seq == fact.seq, time=now(site) + timedelta(hours=1))
    site.remove(TriggerEvaluationRow, TriggerEvaluationRow.event_id == str(fact.id))


def run_that_nothing_fired(site: AuditedSite) -> None:
    site.change(TriggerEvaluationRow, TriggerEvaluationRow.outcome == "fired", run_id=uuid4())


def good_event_is_buried(site: AuditedSite) -> None:
    letter: dict[str, Any] = {
        "consumer": "inbound",
        "topic": "graftwork.inbound",
        "partition": 0,
        "offset": 1,
        "reason": "unreadable",
    }
    site.add(DeadLetterRow(**letter, headers=[["ce_id", "eA=="]], at=now(site)))


def fact_is_parked(site: AuditedSite) -> None:
    site.add(ParkedEventRow(seq=3, subject="job/x", reason="too large", at=now(site)))


def key_is_answered_twice(site: AuditedSite) -> None:
    row = first(site, IdempotencyRow)
    other = row.body.replace('"', "'") or "another"
    site.expected.answers += [
        Answer(row.route, row.key, row.status, row.body),
        Answer(row.route, row.key, row.status, other),
    ]


def answer_was_not_stored(site: AuditedSite) -> None:
    site.expected.answers.append(Answer("POST /v1/jobs", "a key", 201, "{}"))


def job_without_a_key(site: AuditedSite) -> None:
    """As when a repeat did it again."""
    site.jobs.request()


# --- gateways ---------------------------------------------------------------------------------------------------------


def user_is_failed(site: AuditedSite) -> None:
    site.expected.requests.append(Request("gateway-1", 1.0, 2.0, 500))


def canary_without_a_lease(site: AuditedSite) -> None:
    site.expected.cuts.append(Cut("gateway-1", 100.0, 130.0, 4.0))
    site.expected.requests += [
        Request("gateway-1", 104.0, 104.1, 200, "canary", "r"),
        Request("gateway-1", 110.0, 110.1, 200, "canary", "r"),
    ]


def label_is_lost(site: AuditedSite) -> None:
    site.expected.feedback["an accepted prediction id"] = True


def label_was_answered_otherwise(site: AuditedSite) -> None:
    site.remove(LabelRow)
    site.arrive("again")
    prediction = "p"
    digest = "148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940"
    site.expected.feedback[prediction] = True
    clone(site, LabelRow, seq=None, prediction_digest=digest, unit="other", counted=False)


def unit_has_two_labels(site: AuditedSite) -> None:
    clone(site, LabelRow, seq=None, prediction_digest="0" * 64, counted=False)


def more_weight_than_desired(site: AuditedSite) -> None:
    row = first(site, ObservationRow)
    entry = {**row.generations[0], "applied_weight": 0.9}
    site.change(ObservationRow, ObservationRow.second == row.second, generations=[entry])


def weight_of_no_generation(site: AuditedSite) -> None:
    boot = first(site, GatewayBootRow)
    said: dict[str, Any] = {"deployment": DEPLOYMENT, "gateway": "gateway-1", "generation": 99, "applied_weight": 0.0}
    site.add(AppliedRow(**said, boot=boot.boot, at=now(site)))


def canary_units_without_weight(site: AuditedSite) -> None:
    row = first(site, ObservationRow)
    entry = {**row.generations[0], "applied_weight": 0.0, "canary": {"units": 3, "error": 0}}
    site.change(ObservationRow, ObservationRow.second == row.second, generations=[entry])


def two_lives_of_one_gateway(site: AuditedSite) -> None:
    clone(site, GatewayBootRow, boot=uuid4())


PLANTS: dict[Plant, str] = {
    fact_is_gone: "a fact is gone",
    cause_is_unknown: "which is not before it",
    cause_comes_later: "which is not before it",
    token_in_a_fact: "a token or a row's text is in fact",
    text_in_a_log_line: "a token or a row's text is in log line",
    version_without_a_fact: "no model.version_created announces it",
    fact_without_a_version: "which is not in the database",
    fact_told_twice: "was announced twice",
    event_received_without_a_fact: "no event.received announces it",
    job_ends_twice: "it had ended",
    two_hold_the_lease: "two hold the lease",
    reclaimed_under_the_same_fence: "the fence did not grow by one",
    ended_by_a_stale_fence: "a stale fence",
    ended_while_nobody_held_it: "nobody held its lease",
    state_and_facts_differ: "its facts say Running at attempt 1",
    accepted_job_is_lost: "accepted, and it does not exist",
    accepted_job_never_ends: "accepted, and it has not ended",
    two_datasets_of_one_job: "it made 2 of one dataset version",
    dataset_of_a_job_that_runs: "it made a dataset version and is Running",
    success_without_outputs: "without a result or without outputs",
    line_of_a_stale_attempt: "after it was over",
    lease_of_the_workers_clock: "more than one lease from now",
    finished_job_holds_a_lease: "and holds a lease",
    running_job_that_nobody_holds: "nobody holds its lease",
    fact_moves_from_elsewhere: "moves it from",
    history_is_broken: "it was at",
    history_lost_a_move: "its history and its facts differ",
    pointer_is_elsewhere: "its last move made it",
    pointer_is_gone: "it is None, its last move made it",
    accepted_move_is_lost: "was accepted, and the history does not have it",
    two_moves_on_one_etag: "was accepted on top of",
    generation_is_missing: "after 0 came",
    serves_another_than_the_champion: "champion is",
    canary_without_a_rollout: "a canary has weight 0.5 and its rollout is none",
    rollout_goes_on_after_its_end: "after it was Promoted",
    rollout_is_lost: "accepted, and it does not exist",
    rollout_ended_otherwise: "its facts say Aborted",
    nobody_folds_it: "nobody has folded it since",
    verification_has_no_end: "its time to be verified ended",
    queue_does_not_move: "nothing is before it",
    rollback_has_no_end: "it has not ended",
    run_without_work: "none of its jobs and rollouts is",
    decision_was_changed: "its stored inputs give another verdict",
    adapter_is_gone: "refers to it, and it is not in the store",
    part_of_a_dataset_is_gone: "the manifest of dataset version",
    graph_is_half_written: "has other bytes (3 of them)",
    checkpoint_was_never_stored: "the checkpoint of job",
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
    canary_without_a_lease: "served the canary of rollout r 10 s after it was cut off",
    label_is_lost: "was accepted and is not kept",
    label_was_answered_otherwise: "was answered counted=True, it is False",
    unit_has_two_labels: "has 2 labels",
    more_weight_than_desired: "applied weight 0.9",
    weight_of_no_generation: "of generation 99",
    canary_units_without_weight: "gave a canary without weight 3 units",
    two_lives_of_one_gateway: "2 of its lives go on at once",
}


def test_the_untouched_site_is_good(site: AuditedSite) -> None:
    assert site.look() == []


@pytest.mark.parametrize("plant", list(PLANTS), ids=lambda plant: plant.__name__)
def test_what_was_planted_is_found(plant: Plant, site: AuditedSite) -> None:
    plant(site)
    found = site.look()
    assert any(PLANTS[plant] in said for said in found), found
    assert site.look() == [], "said once is enough"


@pytest.mark.parametrize(
    "plant",
    [
        lease_of_the_workers_clock,
        running_job_that_nobody_holds,
        serves_another_than_the_champion,
        canary_without_a_rollout,
        graph_is_half_written,
        adapter_is_gone,
        checkpoint_was_never_stored,
    ],
    ids=lambda plant: plant.__name__,
)
def test_a_glance_is_enough_for_what_lasts_a_moment(plant: Plant, site: AuditedSite) -> None:
    assert site.glance() == []
    plant(site)
    assert any(PLANTS[plant] in said for said in site.glance())


# --- topics, leases, cursors: what takes two looks --------------------------------------------------------------------


@pytest.fixture
def told(opened: Database, folder: Path) -> Iterator[AuditedSite]:
    """With topics, on which every fact is."""
    with audited(opened, folder / "artifacts", bootstrap_servers="in memory") as one:
        one.expected.jobs |= {UUID(line) for line in (folder / "expected.txt").read_text().splitlines()}
        one.relay()
        yield one


def of_one_job(site: AuditedSite) -> list[int]:
    """Where the records of one job are on the board: requested, started, succeeded."""
    key = f"job/{job(site).id}"
    return [place for place, one in enumerate(site.board.records) if one.key == key]


def two_records_are_swapped(site: AuditedSite) -> None:
    one, two, _ = of_one_job(site)
    records = site.board.records
    records[one], records[two] = records[two], records[one]


def record_is_missing(site: AuditedSite) -> None:
    del site.board.records[4]


def record_of_no_fact(site: AuditedSite) -> None:
    headers = {**site.board.records[0].headers, "ce_id": str(uuid4())}
    site.board.records.append(replace(site.board.records[0], headers=headers))


def record_says_other_data(site: AuditedSite) -> None:
    site.board.records[2] = replace(site.board.records[2], value=b"{}")


def record_has_another_envelope(site: AuditedSite) -> None:
    site.board.records[2] = replace(site.board.records[2], key="job/another")


def key_is_in_two_partitions(site: AuditedSite) -> None:
    place = of_one_job(site)[1]
    site.board.records[place] = replace(site.board.records[place], partition=3)


def repeat_without_a_reason(site: AuditedSite) -> None:
    site.expected.relay_disturbed = False
    site.board.records.append(site.board.records[1])


TOPIC_PLANTS: dict[Plant, str] = {
    two_records_are_swapped: "after its fact 0",
    record_is_missing: "is in the log and on no topic",
    record_of_no_fact: "is not in the log",
    record_says_other_data: "says other data",
    record_has_another_envelope: "says another envelope",
    key_is_in_two_partitions: "is in two partitions",
    repeat_without_a_reason: "though nothing disturbed the relay",
}


@pytest.mark.parametrize("plant", list(TOPIC_PLANTS), ids=lambda plant: plant.__name__)
def test_what_was_planted_on_a_topic_is_found(plant: Plant, told: AuditedSite) -> None:
    plant(told)
    found = told.look()
    assert any(TOPIC_PLANTS[plant] in said for said in found), found


def test_topics_may_repeat_what_they_have_said_when_the_relay_was_killed(told: AuditedSite) -> None:
    """A batch again from any place, and a stale record in between; later looks go on where they were."""
    records = told.board.records
    records[3:3] = records[1:3]
    records.append(records[2])
    assert told.look() == []
    told.arrive("2")
    told.react()
    told.relay()
    assert told.look() == []


def test_a_fact_that_goes_after_it_was_read_is_missed(site: AuditedSite) -> None:
    assert site.look() == []
    site.remove(EventRow, EventRow.seq == 3)
    assert any("facts up to seq" in said for said in site.look())


def test_a_fact_that_commits_below_a_reader_is_seen(site: AuditedSite) -> None:
    row = first(site, EventRow, EventRow.seq == 4)
    site.remove(EventRow, EventRow.seq == 4)
    site.look()
    site.add(EventRow(**row.model_dump()))
    assert any("facts up to seq" in said for said in site.look())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"fence": 1}, "its fence went back"),
        ({"owner": "another"}, "were both given fence 7"),
        ({"until": timedelta(days=900)}, "long after now"),
    ],
)
def test_a_named_lease_is_one_owners(values: dict[str, Any], said: str, site: AuditedSite) -> None:
    site.add(LeaseRow(name="relay", owner="one", fence=7, until=now(site)))
    assert site.look() == []
    if "until" in values:
        values = {"until": now(site) + values["until"]}
    site.change(LeaseRow, LeaseRow.name == "relay", **values)
    assert any(said in found for found in site.look())


def test_a_lease_may_be_given_back_and_taken_again(site: AuditedSite) -> None:
    site.add(LeaseRow(name="relay", owner="one", fence=7, until=now(site)))
    assert site.look() == []
    site.change(LeaseRow, LeaseRow.name == "relay", owner="")
    assert site.look() == []
    site.change(LeaseRow, LeaseRow.name == "relay", owner="two", fence=8)
    assert site.look() == []


def test_a_cursor_never_goes_back_and_moves_under_a_fence_that_was_given(site: AuditedSite) -> None:
    assert site.look() == []
    site.change(CursorRow, CursorRow.name == FACTS, seq=1)
    assert any("it went back" in said for said in site.look())
    site.change(CursorRow, CursorRow.name == FACTS, fence=99)
    assert any("which nobody was given" in said for said in site.look())


def test_an_event_that_was_meant_to_be_buried_may_be(site: AuditedSite) -> None:
    good_event_is_buried(site)
    site.expected.poison.add(("", "x"))
    assert site.look() == []


def test_what_still_goes_on_is_named(site: AuditedSite) -> None:
    assert site.auditor.pending(site.expected) == []
    job_id = site.request()
    site.expected.events.add((SOURCE, "late"))
    pending = site.auditor.pending(site.expected)
    assert f"curate job {job_id} is Pending" in pending
    assert f"event {SOURCE} late has not been received" in pending
    assert any("reactions.facts is at fact" in one for one in pending)


def test_an_api_that_says_otherwise_than_the_database_is_found(folder: Path, opened: Database, tmp_path: Path) -> None:
    """It answers from a copy that has not heard of the last move."""
    shutil.copy(folder / "graftwork.db", tmp_path / "old.db")
    old = Database(f"sqlite:///{tmp_path / 'old.db'}")
    with audited(opened, folder / "artifacts") as site, audited(old, folder / "artifacts") as stale:
        site.point("challenger", first(site, ModelVersionRow).id)
        stale.expected.moves = site.expected.moves
        auditor = Auditor(replace_url(site, stale.api_url, stale.admin_token))
        found = auditor.look(site.expected)
        auditor.close()
    old.close()
    assert any("the API says" in said for said in found)


def replace_url(site: AuditedSite, url: str, token: str) -> AuditedSite:
    site.api_url, site.admin_token = url, token
    return site
