"""What has waited long enough for a later match, or for the end of a cooldown, fires."""

from sqlmodel import col, select

from controlplane.commands.automation.triggers import fire_due
from controlplane.domain.trigger import WAITING
from controlplane.duties.actor import ACTOR
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.tables import TriggerEvaluationRow
from controlplane.store.unit_of_work import database_time

DUE_AT_ONCE = 100


def fire_due_triggers(database: Database, _settings: Settings) -> None:
    """Some at a time, each in a transaction of its own."""
    with database.read() as session:
        due = session.exec(
            select(TriggerEvaluationRow.seq)
            .where(col(TriggerEvaluationRow.outcome).in_(WAITING))
            .where(col(TriggerEvaluationRow.due_at) <= database_time(session))
            .order_by(col(TriggerEvaluationRow.due_at))
            .limit(DUE_AT_ONCE)
        ).all()
    for seq in due:
        with database.begin(ACTOR) as uow:
            fire_due(uow, seq or 0)
