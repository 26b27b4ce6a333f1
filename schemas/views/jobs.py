"""Jobs as the API shows them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field, JsonValue

from schemas.base import Strict, View
from schemas.claims import Checkpoint, Progress, Usage
from schemas.jobs import JobKind
from schemas.phases import JobPhase


class JobRequest(Strict):
    kind: JobKind
    spec: dict[str, JsonValue]
    max_attempts: int = Field(default=3, ge=1, le=20)


class JobView(View):
    id: UUID
    kind: str
    phase: JobPhase
    spec: dict[str, Any]
    attempt: int
    failures: int
    """Attempts that count against `max_attempts`."""
    max_attempts: int
    owner: str | None
    """The worker that runs it, or that ended it."""
    lease_until: datetime | None
    not_before: datetime | None
    """A retry waits until then."""
    cancel_requested: bool
    progress: Progress | None
    checkpoint: Checkpoint | None
    result: dict[str, Any] | None
    usage: Usage | None
    """What the attempt that succeeded took."""
    outputs: dict[str, str] | None
    """What the result was registered as: `dataset` or `model_version`, by id."""
    reason: str | None
    """Why its latest attempt ended without a result."""
    run_id: UUID | None
    stage: str | None
    actor: str
    correlationid: str
    created_at: datetime
    started_at: datetime | None
    """When the job's first attempt began; null: none has."""
    finished_at: datetime | None


class Curve(View):
    """How one number went while a job ran, such as its loss."""

    name: str
    steps: list[int]
    values: list[float]
    """One a step."""


class JobCurves(View):
    curves: list[Curve]
    note: str | None = None
    """Why there are none and never will be."""


class LogLine(View):
    seq: int
    attempt: int
    at: datetime
    line: str
