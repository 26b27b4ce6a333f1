"""Rows, no behaviour: deployments, generations, gateways, rollouts, observations and labels."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from controlplane.store.columns import big, document, identity, moment, reference, sequence
from controlplane.store.columns import text as text_column

ACTIVE_PHASES = "('Gating','Verifying','Progressing','Paused')"


class DeploymentRow(SQLModel, table=True):
    """Follows one alias of one model."""

    __tablename__ = "deployment"
    __table_args__ = (UniqueConstraint("model", "alias"),)
    name: str = Field(primary_key=True)
    model: str = Field(foreign_key="registered_model.name")
    alias: str = "champion"
    policy: dict[str, Any] = document()  # RolloutPolicy
    revision: int = 0  # of the policy; each is kept
    generation: int = 0  # the current one; a change is a compare-and-swap on it
    frozen: bool = False  # a rollback froze the queue until someone resumes it
    frozen_reason: str | None = None
    signing_key: str  # base64; leaves the control plane in a Generation only
    created_at: datetime = moment()


class GenerationRow(SQLModel, table=True):
    """One desired state of a deployment, kept for good."""

    __tablename__ = "generation"
    deployment: str = Field(primary_key=True, foreign_key="deployment.name")
    generation: int = Field(primary_key=True)
    stable: UUID | None = None
    canary: UUID | None = None
    weight: float = 0.0
    rollout_id: UUID | None = None
    step: int = 0
    salt: str = ""
    graphs: dict[str, Any] = document()  # version id -> GraphRef: what it is served by, whatever is exported later
    probe: UUID | None = None
    probe_version: UUID | None = None
    rollback_id: UUID | None = None  # the rollback that made `stable` what it is
    reason: str = text_column()
    actor: str
    created_at: datetime = moment(index=True)


class GatewayBootRow(SQLModel, table=True):
    """One life of one gateway. `watermark` is the last second that it sent."""

    __tablename__ = "gateway_boot"
    boot: UUID = Field(primary_key=True)
    gateway: str = Field(index=True)
    deployment: str = Field(foreign_key="deployment.name", index=True)
    clock_offset: int = big()  # added to every second that it names: its clock was so far behind when it registered
    first_second: int = big()  # this and the watermark are in the database's time
    watermark: int = big()
    watermark_at: datetime = moment()  # when it was received: silence is measured from here
    registered_at: datetime = moment()
    reported_at: datetime | None = moment(nullable=True)
    generation: int = 0
    applied_weight: float = 0.0
    loaded: list[str] = document()
    probed: dict[str, Any] = document()  # probe id -> {version, ok, detail}
    replaced: bool = False  # a later boot of the same gateway registered
    lost: bool = False  # nothing more comes of it: it said so, or the next boot told what it had left
    late_seconds: int = 0  # seconds that came after the fold had passed them: refused, and never folded
    late_units: int = big(0)


class AppliedRow(SQLModel, table=True):
    """What a gateway said it applied, one row per change: what served at time T."""

    __tablename__ = "applied"
    __table_args__ = ({"sqlite_autoincrement": True},)
    seq: int | None = sequence()
    deployment: str = Field(index=True)
    gateway: str
    boot: UUID = Field(index=True)
    generation: int
    applied_weight: float
    at: datetime = moment(index=True)


class ObservationRow(SQLModel, table=True):
    """One boot's one second. May be pruned once folded."""

    __tablename__ = "observation"
    __table_args__ = (
        Index("ix_observation_second", "deployment", "second"),
        Index("ix_observation_fold", "rollout_id", "second"),
    )
    boot: UUID = Field(primary_key=True)
    second: int = big(primary_key=True)
    deployment: str
    rollout_id: UUID | None = None  # whose canary was on its way when it came
    generations: list[Any] = document()  # list[GenerationSecond]
    lost: bool = False  # reported by the next boot: units that never ended


class LabelRow(SQLModel, table=True):
    """Feedback, accepted once per prediction id. The text was never here."""

    __tablename__ = "label"
    __table_args__ = (
        UniqueConstraint("prediction_digest"),
        Index("ix_label_fold", "rollout_id", "at"),
        Index("ix_label_stored", "rollout_id", "stored_second"),
        Index("ix_label_served", "rollout_id", "second"),
        Index(  # of a unit with several rows, and of a session's answers of one second, the first label counts
            "ix_label_one_a_unit",
            "rollout_id",
            "step",
            "unit",
            "second",
            unique=True,
            sqlite_where=text("counted"),
            postgresql_where=text("counted"),
        ),
        {"sqlite_autoincrement": True},
    )
    seq: int | None = sequence()
    prediction_digest: str
    deployment: str
    rollout_id: UUID | None = None
    generation: int
    step: int
    model_version_id: UUID
    arm: str
    unit: str
    keyed: bool  # the unit is a session's key
    row: int
    second: int = big()  # when its unit arrived, in the corrected clock of its gateway
    stored_second: int = big()  # when the label came, in the same clock
    wrong: bool
    counted: bool  # False: stored and shown, never folded
    actor: str  # whose token gave it
    token_id: UUID
    at: datetime = moment(index=True)


class RolloutRow(SQLModel, table=True):
    __tablename__ = "rollout"
    __table_args__ = (
        Index(
            "ix_rollout_one_active",
            "deployment",
            unique=True,
            sqlite_where=text(f"phase in {ACTIVE_PHASES}"),
            postgresql_where=text(f"phase in {ACTIVE_PHASES}"),
        ),
    )
    id: UUID = identity()
    deployment: str = Field(foreign_key="deployment.name", index=True)
    model_version_id: UUID = reference("model_version.id")
    previous: UUID | None = None  # the stable version when it started
    pipeline: str | None = None  # a newer version of the same pipeline supersedes a queued one
    run_id: UUID | None = None
    phase: str = Field(default="Queued", index=True)
    step: int = 0
    weight: float = 0.0
    policy: dict[str, Any] = document()  # RolloutPolicy, as it was when the rollout started
    policy_revision: int  # which one of the deployment's that is
    waived_gates: str | None = text_column(nullable=True)  # the reason, when somebody with the role waived them
    gates: list[Any] = document()  # list[GateVerdict]
    analysis: dict[str, Any] | None = document(nullable=True)  # AnalysisState
    verdict: str | None = None
    reason: str = text_column()
    probe: UUID | None = None
    probe_deadline: datetime | None = moment(nullable=True)
    horizon: int = big(-1)  # the second up to which observations are folded, as `analysis` says too
    folded_at: datetime | None = moment(nullable=True)
    step_started_at: datetime | None = moment(nullable=True)
    fold_error: str | None = text_column(nullable=True)  # what the last fold failed with; none once one succeeds
    fold_failures: int = 0  # in a row
    fold_failed_at: datetime | None = moment(nullable=True)
    paused_for: str | None = None  # operator, inconclusive, invalid
    paused_at: datetime | None = moment(nullable=True)  # or INVALID since
    actor: str
    correlationid: str
    started_event: UUID  # the fact that it was asked for: the cause of its later ones
    created_at: datetime = moment(index=True)
    started_at: datetime | None = moment(nullable=True)
    finished_at: datetime | None = moment(nullable=True)
    revision: int = 0  # every change is a compare-and-swap on it


class HoldRow(SQLModel, table=True):
    """While it stands its version, or every version, gains no ground in a deployment. Kept for good."""

    __tablename__ = "hold"
    id: UUID = identity()
    deployment: str = Field(foreign_key="deployment.name", index=True)
    rollout_id: UUID | None = reference("rollout.id", nullable=True)  # it was placed on; none: the whole deployment
    model_version_id: UUID | None = None  # the rollout's: another rollout of it is held too
    reason: str = text_column()
    actor: str
    token_id: UUID
    at: datetime = moment()
    released_at: datetime | None = moment(nullable=True)
    released_by: str | None = None
    released_token: UUID | None = None
    release_reason: str | None = text_column(nullable=True)


class DecisionRow(SQLModel, table=True):
    """A decision with everything that it takes to recompute it."""

    __tablename__ = "decision"
    __table_args__ = ({"sqlite_autoincrement": True},)
    seq: int | None = sequence()
    id: UUID = Field(unique=True)
    rollout_id: UUID = reference("rollout.id")
    kind: str  # gates, verification, canary, operator
    verdict: str
    reason: str = text_column()
    inputs: dict[str, Any] = document()
    digest: str
    actor: str
    at: datetime = moment(index=True)


class RollbackRow(SQLModel, table=True):
    """A rollback asked for by a person, through its phases."""

    __tablename__ = "rollback"
    id: UUID = identity()
    deployment: str = Field(foreign_key="deployment.name", index=True)
    target: UUID
    previous: UUID
    phase: str = Field(default="Verifying", index=True)  # Verifying, Succeeded, Failed
    force: bool = False
    probe: UUID
    deadline: datetime = moment()
    unconfirmed: list[str] = document()
    reason: str = text_column()
    actor: str
    created_at: datetime = moment()
    finished_at: datetime | None = moment(nullable=True)
