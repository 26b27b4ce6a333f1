"""What a worker and the control plane say to each other about one attempt of a job."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, JsonValue

from schemas.artifacts import ArtifactRef
from schemas.base import Strict, Tolerant
from schemas.jobs import JobKind, JobResult


class Progress(Tolerant):
    """How far a running job is. A DP job reports step and total only: a loss is a leak."""

    step: int = Field(ge=0)
    total: int = Field(ge=0)
    message: str = Field(default="", max_length=500)
    metrics: dict[str, Annotated[float, Field(allow_inf_nan=True)]] = {}
    """One that is no number is left out: a worker's loss may be NaN, and its heartbeat must be heard."""


class CurvePoint(Tolerant):
    """What a job measured up to one of its steps. A private job has none: each would tell about its rows."""

    step: int = Field(ge=0)
    values: dict[Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,49}$")], float] = Field(min_length=1, max_length=8)
    """A name such as `loss` to a number."""


class Checkpoint(Tolerant):
    """From where the next attempt goes on."""

    artifact: ArtifactRef
    step: int = Field(ge=0)


class ClaimRequest(Strict):
    """Ask for one job. The same `claim_id` again gets the same answer, so a lost answer is harmless."""

    kinds: tuple[JobKind, ...] = Field(min_length=1)
    claim_id: UUID
    owner: str = Field(min_length=1, max_length=200)


class Claim(Tolerant):
    """A granted lease. `attempt` is the fencing token."""

    job_id: UUID
    kind: str
    spec: dict[str, JsonValue]
    """Unparsed: a worker that does not know one of its fields must be able to refuse it by `:release`."""
    attempt: int
    lease_seconds: float
    checkpoint: Checkpoint | None = None
    correlationid: str


class ClaimResponse(Tolerant):
    claim: Claim | None = None


class Heartbeat(Strict):
    attempt: int
    owner: str
    progress: Progress | None = None
    checkpoint: Checkpoint | None = None
    logs: tuple[str, ...] = Field(default=(), max_length=500)
    curve: tuple[CurvePoint, ...] = Field(default=(), max_length=500)


class HeartbeatResponse(Tolerant):
    lease_seconds: float
    cancel_requested: bool


class Usage(Tolerant):
    """What one attempt's process took, with what it started and waited for."""

    cpu_seconds: float = Field(ge=0)
    peak_rss_bytes: int = Field(ge=0)
    """The peak resident set size of the largest process among them."""


class Completion(Strict):
    attempt: int
    owner: str
    result: JobResult
    usage: Usage | None = None


class Failure(Strict):
    attempt: int
    owner: str
    reason: str = Field(min_length=1, max_length=2000)
    retryable: bool


class Release(Strict):
    """Hand a claimed job back to Pending with no attempt counted: this worker cannot do it (an unknown field, say)."""

    attempt: int
    owner: str
    reason: str = Field(min_length=1, max_length=2000)
