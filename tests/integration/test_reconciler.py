"""The reconciler: duties that fail alone, one active process, and retention that takes nothing from anybody."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlmodel import SQLModel, col, func, select

from controlplane.commands.spine.cursors import FACTS
from controlplane.commands.spine.singleton import Singleton
from controlplane.duties import retention
from controlplane.duties.retention import prune
from controlplane.errors import LostLease
from controlplane.reconciler import LEASE, Duty, Fenced, Reconciler, duties, run
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.serving_tables import LabelRow, ObservationRow, RolloutRow
from controlplane.store.spine_tables import (
    CursorRow,
    DeadLetterRow,
    EventRow,
    IdempotencyRow,
    InboxRow,
    LeaseRow,
    ParkedEventRow,
)
from controlplane.store.tables import ApiReplicaRow, JobCurveRow, JobLogRow, JobRow, TriggerEvaluationRow
from schemas.claims import CurvePoint
from tests.support.jobs import Jobs
from tests.support.scripted_gateway import Gateway
from tests.support.waiting import wait_for
from tests.support.worlds.in_process import InProcess

SETTINGS = Settings(job_lease_seconds=0.001, retention_days=14)


def reconciler_of(database: Database, *duties: Duty) -> Reconciler:
    return Reconciler(database, SETTINGS, Singleton(database, LEASE, 30), duties)


def count(database: Database, row: type[SQLModel]) -> int:
    with database.read() as session:
        return session.exec(select(func.count()).select_from(row)).one()


def test_a_duty_that_fails_does_not_stop_the_others(sqlite_database: Database) -> None:
    done: list[str] = []

    def broken(_database: Database, _settings: Settings) -> None:
        raise ZeroDivisionError

    reconciler = reconciler_of(
        sqlite_database, Duty("broken", 0.0, broken), Duty("works", 0.0, lambda *_: done.append("works"))
    )
    assert reconciler.step()
    assert reconciler.step()
    assert done == ["works", "works"]
    assert reconciler.failures == {"broken": 2, "works": 0}


def test_only_one_of_two_reconcilers_does_its_duties(sqlite_database: Database) -> None:
    done: list[str] = []
    one = reconciler_of(sqlite_database, Duty("a", 0.0, lambda *_: done.append("one")))
    two = reconciler_of(sqlite_database, Duty("b", 0.0, lambda *_: done.append("two")))
    assert one.step()
    assert not two.step()
    assert done == ["one"]


def test_a_reconciler_that_was_too_slow_commits_nothing(database: Database) -> None:
    singleton = Singleton(database, LEASE, 30)
    fence = singleton.hold()
    assert fence is not None
    fenced = Fenced(database, singleton.owner, fence)
    with database.begin("test") as uow:  # another one took over meanwhile
        uow.execute(update(LeaseRow).values(owner="another", fence=fence + 1))
    with pytest.raises(LostLease), fenced.begin("late") as uow:
        uow.session.add(CursorRow(name="late"))
    assert count(database, CursorRow) == 0


def test_every_duty_of_the_product_is_done_without_a_failure(database: Database) -> None:
    """A failed duty is only logged and tried again: whatever broke them all would look like patience."""
    reconciler = reconciler_of(database, *duties(SETTINGS))
    assert reconciler.step()
    assert reconciler.failures == {"expire_leases": 0, "fold_rollouts": 0, "fire_due_triggers": 0, "prune": 0}


def test_the_loop_expires_leases_until_it_is_told_to_stop(sqlite_database: Database) -> None:
    jobs = Jobs(sqlite_database)
    job_id = jobs.request()
    jobs.claimed(lease=-1)
    jobs.expire(lease=10_000)  # an API lives
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(sqlite_database, SETTINGS, stop))
    thread.start()
    try:
        wait_for(lambda: jobs.get(job_id).phase == "Pending", "the job is Pending again")
    finally:
        stop.set()
        thread.join(30)
    assert reconciler_of(sqlite_database).step()  # the lease was given back


# --- retention ------------------------------------------------------------------------------------------------------


def age(database: Database, *columns: tuple[type[SQLModel], str], days: float = 15) -> None:
    with database.begin("test") as uow:
        for row, name in columns:
            uow.execute(update(row).values({name: uow.now() - timedelta(days=days)}))


def cursors(database: Database, **seqs: int) -> None:
    with database.begin("test") as uow:
        for name, seq in seqs.items():
            uow.session.merge(CursorRow(name=FACTS if name == "facts" else name, seq=seq))


def seqs(database: Database) -> list[int | None]:
    with database.read() as session:
        return list(session.exec(select(EventRow.seq).order_by(col(EventRow.seq))))


@pytest.fixture
def old_events(database: Database) -> Database:
    for _ in range(6):
        Jobs(database).request()
    age(database, (EventRow, "time"))
    return database


KAFKA = Settings(retention_days=14, kafka_bootstrap_servers="nowhere:9092")


def test_events_stay_until_our_own_reactions_have_read_them(old_events: Database) -> None:
    prune(old_events, SETTINGS)
    assert len(seqs(old_events)) == 6  # nobody has begun to read
    cursors(old_events, facts=4)
    prune(old_events, SETTINGS)
    assert seqs(old_events) == [5, 6]


def test_more_than_a_batch_is_pruned_in_batches(old_events: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    cursors(old_events, facts=5)
    with old_events.begin("test") as uow:
        assert retention.prune_events(uow, uow.now(), relayed=False) == 2
    prune(old_events, SETTINGS)
    assert seqs(old_events) == [6]


def test_events_stay_until_they_have_been_relayed(old_events: Database) -> None:
    cursors(old_events, facts=6)
    prune(old_events, KAFKA)
    assert len(seqs(old_events)) == 6
    cursors(old_events, relay=3)
    prune(old_events, KAFKA)
    assert seqs(old_events) == [4, 5, 6]


def test_a_relay_that_was_switched_off_holds_nothing_back_once_it_is_long_gone(old_events: Database) -> None:
    cursors(old_events, facts=6, relay=3)
    with old_events.begin("test") as uow:
        uow.session.add(LeaseRow(name="relay", owner="relay:1", fence=1, until=uow.now()))
    prune(old_events, SETTINGS)
    assert seqs(old_events) == [4, 5, 6]  # our settings know no Kafka, and yet somebody relays
    age(old_events, (LeaseRow, "until"))
    prune(old_events, SETTINGS)
    assert seqs(old_events) == []


def test_only_the_oldest_events_are_looked_at(old_events: Database) -> None:
    """A clock that was set back made a later event look older: it waits for those before it."""
    cursors(old_events, facts=6)
    with old_events.begin("test") as uow:
        uow.execute(update(EventRow).where(col(EventRow.seq) == 3).values(time=uow.now()))
    prune(old_events, SETTINGS)
    assert seqs(old_events) == [3, 4, 5, 6]


def test_answers_of_triggers_that_started_nothing_go_with_the_inbox(database: Database) -> None:
    with database.begin("test") as uow:
        for outcome in ("fired", "debouncing", "deferred", "no_trigger_matched", "cooldown"):
            row = TriggerEvaluationRow(
                trigger="t", source="s", event_id=outcome, event_type="t", outcome=outcome, reason="", at=uow.now()
            )
            uow.session.add(row)
    age(database, (TriggerEvaluationRow, "at"), days=20)
    prune(database, SETTINGS)
    assert count(database, TriggerEvaluationRow) == 5
    age(database, (TriggerEvaluationRow, "at"), days=29)
    prune(database, SETTINGS)
    with database.read() as session:
        assert set(session.exec(select(TriggerEvaluationRow.outcome))) == {"fired", "debouncing", "deferred"}


def test_a_parked_event_stays(old_events: Database) -> None:
    cursors(old_events, facts=6, relay=6)
    with old_events.begin("test") as uow:
        uow.session.add(ParkedEventRow(seq=3, subject="job/1", reason="refused", at=uow.now()))
    prune(old_events, KAFKA)
    assert seqs(old_events) == [3, 4, 5, 6]


def test_young_events_stay(database: Database) -> None:
    Jobs(database).request()
    cursors(database, facts=1)
    prune(database, SETTINGS)
    assert seqs(database) == [1]


def test_the_inbox_outlives_the_events(database: Database) -> None:
    with database.begin("test") as uow:
        uow.session.add(InboxRow(consumer="c", source="s", event_id="e", at=uow.now()))
    age(database, (InboxRow, "at"), days=20)
    prune(database, SETTINGS)
    assert count(database, InboxRow) == 1
    age(database, (InboxRow, "at"), days=29)
    prune(database, SETTINGS)
    assert count(database, InboxRow) == 0


def test_what_is_over_is_forgotten_and_what_waits_is_kept(database: Database) -> None:
    jobs = Jobs(database)
    jobs.request()
    claim = jobs.claimed()
    jobs.beat(claim, logs=("of a finished job",), curve=(CurvePoint(step=1, values={"loss": 0.5}),))
    jobs.complete(claim)
    jobs.request()
    jobs.beat(jobs.claimed(), logs=("of a running job",), curve=(CurvePoint(step=2, values={"loss": 0.5}),))
    jobs.expire(lease=10_000)
    with database.begin("test") as uow:
        now = uow.now()
        key = {"principal": "p", "route": "r", "body_digest": "d", "status": 200, "headers": {}, "body": "", "at": now}
        uow.session.add(IdempotencyRow(key="k", **key))
        uow.session.add(ObservationRow(boot=uuid4(), second=1, deployment="reviews", generations=[]))
        for offset, status in enumerate(("Open", "Discarded")):
            uow.session.add(
                DeadLetterRow(
                    consumer="c", topic="t", partition=0, offset=offset, headers=[], reason="r", status=status, at=now
                )
            )
    age(
        database,
        (JobLogRow, "at"),
        (JobCurveRow, "at"),
        (IdempotencyRow, "at"),
        (DeadLetterRow, "at"),
        (DeadLetterRow, "closed_at"),
        (ApiReplicaRow, "until"),
    )
    prune(database, SETTINGS)
    with database.read() as session:
        assert [row.line for row in session.exec(select(JobLogRow))] == ["of a running job"]
        assert [row.step for row in session.exec(select(JobCurveRow))] == [2]
        assert [row.status for row in session.exec(select(DeadLetterRow))] == ["Open"]
    assert [count(database, row) for row in (IdempotencyRow, ObservationRow, ApiReplicaRow)] == [0, 0, 0]


def test_jobs_that_made_nothing_go_and_the_lineage_stays(database: Database) -> None:
    jobs = Jobs(database)
    made, failed, cancelled, waiting = (jobs.request() for _ in range(4))
    ended = {made: "Succeeded", failed: "Failed", cancelled: "Cancelled"}
    with database.begin("test") as uow:
        for job_id, phase in ended.items():
            uow.execute(update(JobRow).where(col(JobRow.id) == job_id).values(phase=phase, finished_at=uow.now()))
        uow.session.add(JobLogRow(job_id=failed, attempt=1, at=uow.now(), line="why it failed"))
        uow.session.add(JobCurveRow(job_id=failed, attempt=1, at=uow.now(), step=1, measured={"loss": 9.9}))
    prune(database, SETTINGS)
    assert count(database, JobRow) == 4
    age(database, (JobRow, "finished_at"))
    prune(database, SETTINGS)
    with database.read() as session:
        assert set(session.exec(select(JobRow.id))) == {made, failed, waiting}  # its log is younger
    age(database, (JobLogRow, "at"))
    prune(database, SETTINGS)
    assert count(database, JobRow) == 3  # and its curve
    age(database, (JobCurveRow, "at"))
    prune(database, SETTINGS)
    with database.read() as session:
        assert set(session.exec(select(JobRow.id))) == {made, waiting}


def test_labels_stay_while_their_rollout_is_under_way(database: Database) -> None:
    site = InProcess(database)
    site.deploy()
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    uncounted = gateway.prediction("stable", "positive")
    assert gateway.feedback(uncounted, "positive").status_code == 200
    with database.begin("test") as uow:
        label = uow.session.exec(select(LabelRow)).one()
        assert str(label.rollout_id) == rollout["id"]
        fields = label.model_dump(exclude={"seq", "prediction_digest", "rollout_id", "counted"})
        uow.session.add(LabelRow(**fields, prediction_digest="of no rollout", rollout_id=None, counted=False))
    age(database, (LabelRow, "at"))
    prune(database, SETTINGS)
    with database.read() as session:
        assert [str(row.rollout_id) for row in session.exec(select(LabelRow))] == [rollout["id"]]
    site.client("releaser").post(f"/v1/rollouts/{rollout['id']}:abort", json={"reason": "a test"})
    prune(database, SETTINGS)
    assert count(database, LabelRow) == 0
    assert gateway.feedback(uncounted, "positive").json() == {"counted": False}


def test_seconds_stay_until_their_rollout_has_folded_them(database: Database) -> None:
    site = InProcess(database)
    site.deploy()
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    gateway.observe(50)
    with database.begin("test") as uow:
        uow.execute(update(ObservationRow).values(second=1))
        uow.execute(update(RolloutRow).values(folded_at=None))
    prune(database, SETTINGS)
    assert count(database, ObservationRow) == 1
    age(database, (RolloutRow, "folded_at"))  # not folded since the second left the retention
    prune(database, SETTINGS)
    assert count(database, ObservationRow) == 1
    age(database, (RolloutRow, "folded_at"), days=0)
    prune(database, SETTINGS)
    assert count(database, ObservationRow) == 0


def test_how_often_it_prunes_is_a_setting() -> None:
    assert {duty.name: duty.every_seconds for duty in duties(Settings(prune_seconds=7))}["prune"] == 7
