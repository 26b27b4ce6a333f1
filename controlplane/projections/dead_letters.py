"""Dead letters as they are read: lists without their bytes, and one whole."""

import base64
from datetime import datetime
from urllib.parse import unquote
from uuid import UUID

from sqlalchemy import tuple_
from sqlmodel import Session, col, select

from controlplane.errors import NotFound
from controlplane.store.spine_tables import DeadLetterRow
from controlplane.transport.port import Delivery
from schemas.kafka_binding import KafkaMessage
from schemas.views.dead_letters import DeadLetterContent, DeadLetterView


def delivery_of(letter: DeadLetterRow) -> Delivery:
    """The letter as it came."""
    headers = tuple((unquote(name), base64.b64decode(value)) for name, value in letter.headers)
    message = KafkaMessage(letter.key, letter.value, headers)
    return Delivery(letter.topic, letter.partition, letter.offset, message)


def list_dead_letters(
    session: Session, *, status: str | None, limit: int, after: tuple[datetime, UUID] | None = None
) -> list[DeadLetterRow]:
    """Newest first; `after` is the moment and id of the last one seen, which may have been pruned since."""
    query = select(DeadLetterRow).order_by(col(DeadLetterRow.at).desc(), col(DeadLetterRow.id).desc()).limit(limit)
    if status is not None:
        query = query.where(DeadLetterRow.status == status)
    if after is not None:
        query = query.where(tuple_(col(DeadLetterRow.at), col(DeadLetterRow.id)) < after)
    return list(session.exec(query))


def find_dead_letter(session: Session, letter_id: UUID) -> DeadLetterRow:
    letter = session.get(DeadLetterRow, letter_id)
    if letter is None:
        raise NotFound(f"no dead letter {letter_id}")
    return letter


def letter_view(letter: DeadLetterRow) -> DeadLetterView:
    return DeadLetterView.model_validate(letter, from_attributes=True)


def letter_content(letter: DeadLetterRow) -> DeadLetterContent:
    message = delivery_of(letter).message
    return DeadLetterContent(
        **letter_view(letter).model_dump(),
        key=None if message.key is None else message.key.decode(errors="replace"),
        value=None if message.value is None else message.value.decode(errors="replace"),
        value_base64=None if message.value is None else base64.b64encode(message.value).decode(),
        headers=[(name, value.decode(errors="replace")) for name, value in message.headers],
    )
