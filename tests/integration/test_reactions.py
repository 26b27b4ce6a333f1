"""The embedded mode's reactions as they are built: what somebody listens to is heard, the rest costs nothing."""

from collections.abc import Iterator

import pytest
from sqlmodel import col, func, select

from controlplane.commands.spine.cursors import FACTS, cursor_of
from controlplane.reactions.consumer import Consumer
from controlplane.reactions.loop import build
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.spine_tables import InboxRow
from controlplane.store.tables import PipelineRow, TriggerEvaluationRow, TriggerRow
from schemas.cloudevent import FeedEvent
from schemas.facts import JobStarted
from schemas.pipelines import PipelineSpec, TriggerSpec
from tests.support.facts import announce


@pytest.fixture
def reactions(database: Database) -> Iterator[Consumer[FeedEvent]]:
    (facts,) = build(database, Settings())
    yield facts
    facts.source.close()


def listen(database: Database) -> None:
    pipeline = PipelineSpec.model_validate({"name": "p", "stages": {"curate": {"kind": "curate"}}})
    trigger = TriggerSpec(
        name="t", pipeline="p", types=(JobStarted.TYPE,), sources=("graftwork",), where={"subject": "job/b"}
    )
    with database.begin("test") as uow:
        now = uow.now()
        uow.session.add(PipelineRow(name="p", spec=pipeline.model_dump(mode="json"), updated_at=now, updated_by="x"))
        uow.session.add(TriggerRow(name="t", spec=trigger.model_dump(mode="json"), updated_at=now, updated_by="x"))


def state(database: Database) -> tuple[int, int, list[str]]:
    """(cursor, inbox rows, outcomes)."""
    with database.read() as session:
        inbox = session.exec(select(func.count()).select_from(InboxRow)).one()
        outcomes = session.exec(select(TriggerEvaluationRow.outcome).order_by(col(TriggerEvaluationRow.seq)))
        return cursor_of(session, FACTS), inbox, list(outcomes)


def test_a_fact_that_nobody_listens_to_is_passed_over(database: Database, reactions: Consumer[FeedEvent]) -> None:
    announce(database, "a", 0)
    announce(database, "a", 1)
    assert reactions.step(0) == 0
    assert state(database) == (2, 0, [])


def test_whoever_begins_to_listen_hears_the_next_fact_once(database: Database, reactions: Consumer[FeedEvent]) -> None:
    announce(database, "a", 0)
    reactions.step(0)
    listen(database)
    announce(database, "a", 1)
    assert reactions.step(0) == 1
    assert reactions.step(0) == 0
    assert state(database) == (2, 1, ["condition_not_met"])
