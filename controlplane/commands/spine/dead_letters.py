"""Dead letters: what could not be read or finished, kept as it came until a person replays or discards it."""

import base64
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import update
from sqlmodel import Session, col, select

from controlplane.errors import Conflict
from controlplane.projections.dead_letters import find_dead_letter
from controlplane.store.insert import insert_once
from controlplane.store.spine_tables import DeadLetterRow, ParkedEventRow
from controlplane.store.unit_of_work import UnitOfWork
from controlplane.transport.port import Delivery

RELAY: Final = "relay"
"""The consumer of letters that the broker refused: their offset is the event's seq."""
OUTBOX: Final = "outbox"
EVENT_LOG: Final = "event-log"
"""The places that are no Kafka topic: what the relay sends, and what our own reactions read."""


PLAIN: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
"""What a header's name may be made of to be stored as it is: JSONB holds no U+0000."""


def legible(reason: str) -> str:
    """A reason may quote what it refuses: without U+0000 and halves of surrogate pairs, and with an end."""
    return reason.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()[:4000]


@dataclass(frozen=True)
class Burial:
    """Whose letter it is and why."""

    consumer: str
    reason: str
    attempts: int = 1


def bury(uow: UnitOfWork, delivery: Delivery, burial: Burial) -> bool:
    """Store a dead letter; False when this place has one already (delivered again after a crash)."""
    message = delivery.message
    return insert_once(
        uow,
        DeadLetterRow(
            consumer=burial.consumer,
            topic=delivery.topic,
            partition=delivery.partition,
            offset=delivery.offset,
            key=message.key,
            value=message.value,
            headers=[[quote(name, safe=PLAIN), base64.b64encode(value).decode()] for name, value in message.headers],
            reason=legible(burial.reason),
            attempts=burial.attempts,
            at=uow.now(),
        ),
    )


def replay_dead_letter(uow: UnitOfWork, letter_id: UUID) -> DeadLetterRow:
    """Hand a letter back to its consumer, which gives it its effect, or opens it again with the reason."""
    return _leave(uow, letter_id, "Open", "Replaying")


def discard_dead_letter(uow: UnitOfWork, letter_id: UUID) -> DeadLetterRow:
    """Close a letter without its effect. A fact that the broker refused lets its successors pass."""
    letter = _leave(uow, letter_id, "Open", "Discarded")
    if letter.consumer == RELAY:
        unpark(uow, letter.offset)
    return letter


def close_replayed(uow: UnitOfWork, letter_id: UUID, actor: str) -> bool:
    """In the transaction of its effect: False when another process has taken it."""
    return _move(uow, letter_id, "Replaying", "Replayed", actor)


def reopen(uow: UnitOfWork, letter_id: UUID, reason: str) -> None:
    """The replay did not help."""
    uow.execute(
        update(DeadLetterRow)
        .where(col(DeadLetterRow.id) == letter_id, col(DeadLetterRow.status) == "Replaying")
        .values(status="Open", reason=legible(reason), attempts=DeadLetterRow.attempts + 1)
    )


def letters_to_replay(session: Session, consumer: str) -> list[DeadLetterRow]:
    """Oldest first."""
    query = select(DeadLetterRow).where(DeadLetterRow.status == "Replaying", DeadLetterRow.consumer == consumer)
    return list(session.exec(query.order_by(col(DeadLetterRow.at), col(DeadLetterRow.offset)).limit(100)))


def park(uow: UnitOfWork, seq: int, subject: str, reason: str) -> None:
    """Keep a fact out of Kafka: refused for good, or behind one of its subject that was."""
    insert_once(uow, ParkedEventRow(seq=seq, subject=subject, reason=legible(reason), at=uow.now()))


def unpark(uow: UnitOfWork, seq: int) -> None:
    row = uow.session.get(ParkedEventRow, seq)
    if row is not None:
        uow.session.delete(row)


def _leave(uow: UnitOfWork, letter_id: UUID, before: str, after: str) -> DeadLetterRow:
    if not _move(uow, letter_id, before, after, uow.actor):
        letter = find_dead_letter(uow.session, letter_id)
        raise Conflict(f"dead letter {letter_id} is {letter.status}, expected {before}", field="status")
    return find_dead_letter(uow.session, letter_id)


def _move(uow: UnitOfWork, letter_id: UUID, before: str, after: str, actor: str) -> bool:
    moved = uow.execute(
        update(DeadLetterRow)
        .where(col(DeadLetterRow.id) == letter_id, col(DeadLetterRow.status) == before)
        .values(status=after, closed_by=actor, closed_at=uow.now())
    )
    return moved == 1
