"""Pipelines and their runs as the API shows them."""

from datetime import datetime
from uuid import UUID

from pydantic import Field, JsonValue

from schemas.base import Strict, View
from schemas.phases import RunPhase, StagePhase
from schemas.pipelines import PipelineSpec


class PipelineView(View):
    name: str
    revision: int
    spec: PipelineSpec
    updated_at: datetime
    updated_by: str


class StageView(View):
    phase: StagePhase
    job_id: UUID | None
    rollout_id: UUID | None
    outputs: dict[str, str]
    """What later stages may read as `${stages.<stage>.<output>}`."""
    reason: str


class RunView(View):
    id: UUID
    pipeline: str
    phase: RunPhase
    reason: str | None
    stages: dict[str, StageView]
    params: dict[str, JsonValue]
    trigger: str | None
    event: dict[str, JsonValue] | None
    actor: str
    correlationid: str
    cancel_requested: str | None
    created_at: datetime
    finished_at: datetime | None


class RunRequest(Strict):
    params: dict[str, JsonValue] = {}
    """Overrides of the pipeline's own defaults."""


class CancelRequest(Strict):
    reason: str = Field(min_length=1, max_length=500)
