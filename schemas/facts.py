"""Every fact that may travel. A class that is not in EVENTS does not exist."""

from typing import Any, ClassVar, Final
from uuid import UUID

from schemas.cloudevent import OUR_PREFIX, EventData
from schemas.faults import did_you_mean, nearest


class DatasetVersionCreated(EventData):
    """A curation has completed and its rows are a new immutable version."""

    TYPE: ClassVar[str] = "dev.graftwork.dataset.version_created.v1"
    dataset: str
    dataset_version_id: UUID
    version: int
    digest: str
    rows: dict[str, int]
    job_id: UUID


class JobRequested(EventData):
    """A job is Pending: new, or again after its lease expired. Whoever does this kind may claim it."""

    TYPE: ClassVar[str] = "dev.graftwork.job.requested.v1"
    job_id: UUID
    kind: str
    attempt: int


class JobStarted(EventData):
    """A worker holds the lease of an attempt."""

    TYPE: ClassVar[str] = "dev.graftwork.job.started.v1"
    job_id: UUID
    kind: str
    attempt: int
    owner: str


class JobSucceeded(EventData):
    """The job's result is recorded, and what it made is registered."""

    TYPE: ClassVar[str] = "dev.graftwork.job.succeeded.v1"
    job_id: UUID
    kind: str
    attempt: int


class JobFailed(EventData):
    """The job will not be tried again."""

    TYPE: ClassVar[str] = "dev.graftwork.job.failed.v1"
    job_id: UUID
    kind: str
    attempt: int
    reason: str


class JobCancelled(EventData):
    """Somebody asked for it, and no worker holds the job any more."""

    TYPE: ClassVar[str] = "dev.graftwork.job.cancelled.v1"
    job_id: UUID
    kind: str
    attempt: int


class ModelVersionCreated(EventData):
    """A training or a merge has completed and its adapter is a new immutable version."""

    TYPE: ClassVar[str] = "dev.graftwork.model.version_created.v1"
    model: str
    model_version_id: UUID
    version: int
    adapter_digest: str
    job_id: UUID
    parents: list[UUID] = []


class AttachmentAdded(EventData):
    """Something was learnt about a version: an export, an evaluation, an attack."""

    TYPE: ClassVar[str] = "dev.graftwork.model.attachment_added.v1"
    model_version_id: UUID
    kind: str
    digest: str
    job_id: UUID


class AliasMoved(EventData):
    """A model's alias points to another version, or to none."""

    TYPE: ClassVar[str] = "dev.graftwork.model.alias_moved.v1"
    model: str
    alias: str
    model_version_id: UUID | None
    previous: UUID | None
    history_id: UUID
    actor: str
    reason: str


class GenerationCreated(EventData):
    """A deployment's desired state changed; gateways follow."""

    TYPE: ClassVar[str] = "dev.graftwork.deployment.generation_created.v1"
    deployment: str
    generation: int
    stable: UUID | None
    canary: UUID | None
    weight: float
    rollout_id: UUID | None
    reason: str


class RolloutStarted(EventData):
    """A version was put on its way to a deployment: its gates are judged next, or it waits in the queue."""

    TYPE: ClassVar[str] = "dev.graftwork.rollout.started.v1"
    rollout_id: UUID
    deployment: str
    model_version_id: UUID
    phase: str


class RolloutAdvanced(EventData):
    """A rollout entered another phase or another step."""

    TYPE: ClassVar[str] = "dev.graftwork.rollout.advanced.v1"
    rollout_id: UUID
    deployment: str
    phase: str
    step: int
    """Counted from 1; 0 before the canary first got weight."""
    weight: float
    reason: str


class RolloutFinished(EventData):
    """A rollout reached its final phase."""

    TYPE: ClassVar[str] = "dev.graftwork.rollout.finished.v1"
    rollout_id: UUID
    deployment: str
    model_version_id: UUID
    phase: str
    verdict: str | None
    decision_id: UUID | None
    reason: str


class RollbackFinished(EventData):
    """A rollback asked for by a person has moved the pointer, or could not."""

    TYPE: ClassVar[str] = "dev.graftwork.deployment.rollback_finished.v1"
    deployment: str
    rollback_id: UUID
    phase: str
    target: UUID
    unconfirmed_gateways: list[str] = []
    reason: str


class HoldPlaced(EventData):
    """An auditor holds a rollout or a whole deployment: until somebody releases it, no version gains ground there."""

    TYPE: ClassVar[str] = "dev.graftwork.deployment.hold_placed.v1"
    hold_id: UUID
    deployment: str
    rollout_id: UUID | None
    """Null: the whole deployment."""
    actor: str
    reason: str


class HoldReleased(EventData):
    """Another person has released a hold; what waited for it goes on unless another hold stands."""

    TYPE: ClassVar[str] = "dev.graftwork.deployment.hold_released.v1"
    hold_id: UUID
    deployment: str
    rollout_id: UUID | None
    actor: str
    reason: str


class PipelineRunStarted(EventData):
    """A pipeline runs: by a trigger or by a person."""

    TYPE: ClassVar[str] = "dev.graftwork.pipeline.run_started.v1"
    run_id: UUID
    pipeline: str
    trigger: str | None
    actor: str


class PipelineRunFinished(EventData):
    """No stage of the run is left to do."""

    TYPE: ClassVar[str] = "dev.graftwork.pipeline.run_finished.v1"
    run_id: UUID
    pipeline: str
    phase: str
    reason: str = ""


class InboundReceived(EventData):
    """Somebody else's event passed the door and every trigger was asked; `outcomes` says what each answered."""

    TYPE: ClassVar[str] = "dev.graftwork.event.received.v1"
    source: str
    event_id: str
    event_type: str
    outcomes: dict[str, str]


class AuditRecorded(EventData):
    """A person's or a token's change, or its refusal, has an entry in the audit log. The digests chain the entries."""

    TYPE: ClassVar[str] = "dev.graftwork.audit.recorded.v1"
    seq: int
    entry_id: UUID
    actor: str
    role: str
    action: str
    subject: str
    """What it was done to, as `deployment/reviews`."""
    outcome: str
    status: int
    reason: str | None
    detail: str | None
    request: dict[str, Any]
    changes: dict[str, Any]
    """Field to {before, after}."""
    previous: str
    digest: str


EVENTS: Final[tuple[type[EventData], ...]] = (
    DatasetVersionCreated,
    JobRequested,
    JobStarted,
    JobSucceeded,
    JobFailed,
    JobCancelled,
    ModelVersionCreated,
    AttachmentAdded,
    AliasMoved,
    GenerationCreated,
    RolloutStarted,
    RolloutAdvanced,
    RolloutFinished,
    RollbackFinished,
    HoldPlaced,
    HoldReleased,
    PipelineRunStarted,
    PipelineRunFinished,
    InboundReceived,
    AuditRecorded,
)
BY_TYPE: Final[dict[str, type[EventData]]] = {event.TYPE: event for event in EVENTS}


def short_name(event_type: str) -> str:
    """`job.failed`: as people read and type it."""
    return event_type.removeprefix(OUR_PREFIX).rpartition(".v")[0] or event_type


def types_named(name: str) -> list[str]:
    """Every version of the type of that name; a full type, also one that this code does not know, is itself.

    Raises ValueError in words.
    """
    if name.startswith(OUR_PREFIX):
        return [name]
    known = [event.TYPE for event in EVENTS if name in (short_name(event.TYPE), event.TYPE.removeprefix(OUR_PREFIX))]
    if not known:
        near = did_you_mean(nearest(name, (short_name(event.TYPE) for event in EVENTS)))
        raise ValueError(f"no fact has the type {name!r}, expected one such as 'job.failed'{near}")
    return known
