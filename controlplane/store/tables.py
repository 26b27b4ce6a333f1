"""Rows, no behaviour: jobs, data, models, pipelines and triggers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from controlplane.store.columns import big, document, identity, moment, reference, sequence
from controlplane.store.columns import text as text_column

# --- jobs ------------------------------------------------------------------------------------------------------------


class JobRow(SQLModel, table=True):
    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_claimable", "phase", "kind", "created_seq"),
        # A worker of several kinds, and a page, take the first of an order: without these they sort all there is.
        Index("ix_job_oldest", "phase", "created_seq", "id"),
        Index("ix_job_newest", "created_seq", "id"),
        Index("ix_job_lease", "phase", "lease_until"),
    )
    id: UUID = identity()
    created_seq: int = big(0)  # nanoseconds at request: oldest first
    kind: str
    spec: dict[str, Any] = document()
    phase: str = "Pending"
    attempt: int = 0
    failures: int = 0  # attempts that count against max_attempts
    max_attempts: int = 3
    owner: str | None = None
    claim_id: UUID | None = Field(default=None, unique=True)  # while Running: a repeated claim finds its answer by it
    lease_until: datetime | None = moment(nullable=True)
    not_before: datetime | None = moment(nullable=True)
    cancel_requested: bool = False
    progress: dict[str, Any] | None = document(nullable=True)
    checkpoint: dict[str, Any] | None = document(nullable=True)
    result: dict[str, Any] | None = document(nullable=True)
    usage: dict[str, Any] | None = document(nullable=True)
    outputs: dict[str, str] | None = document(nullable=True)  # what the result was registered as, for later stages
    log_lines: int = 0  # kept so far: a job's log has an end
    curve_points: int = 0  # so has its curve
    reason: str | None = text_column(nullable=True)
    refused_by: list[str] = document()  # owners that released it: they do not know a field of its spec
    run_id: UUID | None = reference("pipeline_run.id", nullable=True)
    stage: str | None = None
    actor: str
    correlationid: str
    causationid: str | None = None
    created_at: datetime = moment(index=True)
    started_at: datetime | None = moment(nullable=True)
    finished_at: datetime | None = moment(nullable=True)


class JobLogRow(SQLModel, table=True):
    __tablename__ = "job_log"
    __table_args__ = ({"sqlite_autoincrement": True},)
    seq: int | None = sequence()
    job_id: UUID = reference("job.id")
    attempt: int
    at: datetime = moment(index=True)
    line: str = text_column()


class JobCurveRow(SQLModel, table=True):
    __tablename__ = "job_curve"
    __table_args__ = ({"sqlite_autoincrement": True},)
    seq: int | None = sequence()
    job_id: UUID = reference("job.id")
    attempt: int
    at: datetime = moment(index=True)
    step: int
    measured: dict[str, float] = document()


class ApiReplicaRow(SQLModel, table=True):
    """An API process says that it lives: no job's lease expires before one has lived for a whole lease."""

    __tablename__ = "api_replica"
    id: str = Field(primary_key=True, max_length=100)
    since: datetime = moment()  # alive without a gap since then
    until: datetime = moment()


# --- data and models -------------------------------------------------------------------------------------------------


class DatasetRow(SQLModel, table=True):
    __tablename__ = "dataset"
    name: str = Field(primary_key=True)
    created_at: datetime = moment()
    versions: int = 0  # the last number given


class DatasetVersionRow(SQLModel, table=True):
    __tablename__ = "dataset_version"
    __table_args__ = (UniqueConstraint("dataset", "version"),)
    id: UUID = identity()
    dataset: str = Field(index=True)
    version: int
    row_schema: str
    digest: str = Field(index=True)
    manifest: dict[str, Any] = document()  # ArtifactRef
    rows: dict[str, int] = document()
    rejected: dict[str, int] = document()
    rejects: dict[str, Any] | None = document(nullable=True)
    parent: UUID | None = None
    job_id: UUID = reference("job.id")
    created_at: datetime = moment()


class RegisteredModelRow(SQLModel, table=True):
    __tablename__ = "registered_model"
    name: str = Field(primary_key=True)
    created_at: datetime = moment()
    versions: int = 0  # the last number given


class ModelVersionRow(SQLModel, table=True):
    """What it is, immutable; everything learnt later is an attachment."""

    __tablename__ = "model_version"
    __table_args__ = (UniqueConstraint("model", "version"),)
    id: UUID = identity()
    model: str = Field(foreign_key="registered_model.name")
    version: int
    adapter: dict[str, Any] = document()  # ArtifactRef
    identity: dict[str, Any] = document()  # ModelIdentity
    privacy: dict[str, Any] | None = document(nullable=True)
    parents: list[str] = document()
    datasets: list[str] = document()
    job_id: UUID = reference("job.id")
    created_at: datetime = moment()
    created_by: str


class AttachmentRow(SQLModel, table=True):
    """What a job learnt about a version: append-only."""

    __tablename__ = "attachment"
    __table_args__ = (UniqueConstraint("model_version_id", "kind", "digest"),)
    id: UUID = identity()
    model_version_id: UUID = reference("model_version.id")
    kind: str  # the job's
    digest: str  # of the canonical JSON of data
    data: dict[str, Any] = document()  # the job's result
    dataset_version_id: UUID | None = None
    job_id: UUID = reference("job.id")
    created_at: datetime = moment(index=True)


class BaseGraphRow(SQLModel, table=True):
    """A base graph that later exports reuse."""

    __tablename__ = "base_graph"
    key: str = Field(primary_key=True)  # digest of family and target modules
    family: str = Field(index=True)  # digest of what all versions that it may serve have in common
    target_modules: list[str] = document()
    artifact: dict[str, Any] = document()
    created_at: datetime = moment()


class AliasRow(SQLModel, table=True):
    """Where an alias points. Its ETag is the history row's id, never the version: A-B-A must not pass."""

    __tablename__ = "alias"
    model: str = Field(primary_key=True, foreign_key="registered_model.name")
    alias: str = Field(primary_key=True)
    model_version_id: UUID | None = None
    history_id: UUID


class AliasHistoryRow(SQLModel, table=True):
    __tablename__ = "alias_history"
    __table_args__ = (Index("ix_alias_history", "model", "alias", "seq"), {"sqlite_autoincrement": True})
    seq: int | None = sequence()
    id: UUID = Field(unique=True)
    model: str
    alias: str
    model_version_id: UUID | None = None
    previous: UUID | None = None
    actor: str
    reason: str = text_column()
    evidence_digest: str | None = None
    verified: bool | None = None  # None: no deployment follows it; False: no live gateway could prove that it loads
    at: datetime = moment(index=True)


# --- pipelines and triggers ------------------------------------------------------------------------------------------


class PipelineRow(SQLModel, table=True):
    __tablename__ = "pipeline"
    name: str = Field(primary_key=True)
    revision: int = 0
    spec: dict[str, Any] = document()
    updated_at: datetime = moment()
    updated_by: str


class PipelineRunRow(SQLModel, table=True):
    __tablename__ = "pipeline_run"
    id: UUID = identity()
    pipeline: str = Field(index=True)
    spec: dict[str, Any] = document()  # as it was when the run started
    params: dict[str, Any] = document()
    event: dict[str, Any] | None = document(nullable=True)
    phase: str = Field(default="Running", index=True)  # Running, Succeeded, Failed, Cancelled
    stages: dict[str, Any] = document()  # stage -> {phase, job_id | rollout_id, outputs}
    reason: str | None = text_column(nullable=True)
    cancel_requested: str | None = text_column(nullable=True)  # who asked for it and why; it ends when its jobs have
    trigger: str | None = Field(default=None, index=True)
    actor: str
    correlationid: str
    started_event: UUID | None = None  # the cause of every job that it requests
    created_at: datetime = moment(index=True)
    finished_at: datetime | None = moment(nullable=True)
    revision: int = 0


class TriggerRow(SQLModel, table=True):
    __tablename__ = "trigger"
    name: str = Field(primary_key=True)
    revision: int = 0
    spec: dict[str, Any] = document()
    updated_at: datetime = moment()
    updated_by: str


class RevisionRow(SQLModel, table=True):
    """What somebody applied to a deployment, a pipeline or a trigger, kept for good."""

    __tablename__ = "revision"
    noun: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    spec: dict[str, Any] | None = document(nullable=True)  # none: it was deleted
    reason: str | None = text_column(nullable=True)
    actor: str
    at: datetime = moment()


class TriggerEvaluationRow(SQLModel, table=True):
    """What one trigger answered to one event, and why."""

    __tablename__ = "trigger_evaluation"
    __table_args__ = (
        Index("ix_trigger_evaluation_fired", "trigger", "outcome", "at"),
        Index(
            "ix_trigger_evaluation_key",  # the same key never fires twice, whoever evaluates at the same time
            "trigger",
            "dedupe_key",
            unique=True,
            sqlite_where=text("outcome in ('fired','debouncing')"),
            postgresql_where=text("outcome in ('fired','debouncing')"),
        ),
        {"sqlite_autoincrement": True},
    )
    seq: int | None = sequence()
    trigger: str | None = None  # None: no trigger listens to that type
    source: str
    event_id: str = Field(index=True)
    event_type: str
    outcome: str
    reason: str = text_column()
    dedupe_key: str | None = None
    event: dict[str, Any] | None = document(nullable=True)  # kept while it debounces
    due_at: datetime | None = moment(nullable=True, index=True)
    run_id: UUID | None = None
    at: datetime = moment(index=True)
