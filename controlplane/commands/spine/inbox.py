"""The inbox: this consumer has had the effect of this event, written in the effect's own transaction."""

from sqlalchemy import delete
from sqlmodel import col

from controlplane.store.insert import insert_once
from controlplane.store.spine_tables import InboxRow
from controlplane.store.unit_of_work import UnitOfWork


def is_first_time(uow: UnitOfWork, consumer: str, source: str, event_id: str) -> bool:
    """True once for (consumer, source, id), if this transaction commits. Of two at once one waits and gets False."""
    return insert_once(uow, InboxRow(consumer=consumer, source=source, event_id=event_id, at=uow.now()))


def forget(uow: UnitOfWork, consumer: str, source: str, event_id: str) -> None:
    """Let an event have its effect again: only a replay does, in the transaction of that effect."""
    uow.execute(
        delete(InboxRow).where(
            col(InboxRow.consumer) == consumer, col(InboxRow.source) == source, col(InboxRow.event_id) == event_id
        )
    )
