"""Dead letters as the API shows them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from schemas.base import View

Status = Literal["Open", "Replaying", "Replayed", "Discarded"]


class DeadLetterView(View):
    id: UUID
    consumer: str
    topic: str
    """A Kafka topic; `event-log`: a fact that our reactions could not finish; `outbox`: one that Kafka refuses."""
    partition: int
    offset: int
    """On `event-log` and `outbox`: the fact's seq."""
    reason: str
    attempts: int
    status: Status
    at: datetime
    closed_at: datetime | None
    closed_by: str | None


class DeadLetterContent(DeadLetterView):
    key: str | None
    value: str | None
    """As text where it is UTF-8."""
    value_base64: str | None
    headers: list[tuple[str, str]]
