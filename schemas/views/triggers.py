"""Triggers, and what each answered to an event, as the API shows them."""

from datetime import datetime
from uuid import UUID

from schemas.base import View
from schemas.pipelines import TriggerOutcome, TriggerSpec


class TriggerView(View):
    name: str
    revision: int
    spec: TriggerSpec
    updated_at: datetime
    updated_by: str


class EvaluationView(View):
    seq: int
    trigger: str | None
    """None: no trigger listens to that type."""
    source: str
    event_id: str
    event_type: str
    outcome: TriggerOutcome
    reason: str
    dedupe_key: str | None
    due_at: datetime | None
    """When it fires, unless a later match comes before."""
    run_id: UUID | None
    at: datetime
    """When that was decided."""


class Receipt(View):
    """What became of an event that came through the door."""

    source: str
    id: str
    repeated: bool
    """It had come before: these are the answers of the first time, and nothing was done."""
    evaluations: list[EvaluationView]


class BatchReceipt(View):
    """What became of a batch of events, which are taken together."""

    items: list[Receipt]
    """In the batch's order."""
