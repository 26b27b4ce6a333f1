"""What a gateway and the control plane say to each other: generations, observations, feedback."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from schemas.artifacts import Fraction, Name
from schemas.base import Strict, Tolerant
from schemas.labels import Label
from schemas.model.references import GraphRef

Arm = Literal["stable", "canary"]
GenerationNumber = Annotated[int, Field(ge=0, lt=2**31)]
CanaryMetricName = Literal["error", "wrong", "abandoned"]
Randomize = Literal["request", "session"]
MAX_REFERENCE_CHARACTERS = 100_000
"""Characters of the text that feedback compares a generated one with."""
KeyHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
UnitEnd = Literal["ok", "error", "abandoned"]
"""`abandoned`: the caller hung up before the first of the answer, and before the deadline. Each unit has one end."""


class ServedVersion(Tolerant):
    """One version as a gateway loads it."""

    id: UUID
    model: Name
    version: int
    graph: GraphRef


class Generation(Tolerant):
    """One desired state of a deployment. A request is served and counted under the generation in force on arrival."""

    deployment: Name
    generation: int
    """0 before the first release: nothing to serve yet."""
    stable: ServedVersion | None
    canary: ServedVersion | None = None
    weight: Fraction = 0.0
    """The canary's share; a gateway applies it only while its lease runs."""
    rollout_id: UUID | None = None
    step: int = 0
    """The place in the policy's `steps`, from 0: people are told one more."""
    randomize: Randomize = "request"
    salt: str = ""
    """Made from rollout id and step index, so that a new step draws arms afresh; empty without a canary."""
    deadline_seconds: float = 5.0
    """Until the answer, or the first token of a streamed one."""
    deadline_total_seconds: float = 12.0
    """Until the last token of a streamed answer."""
    lease_seconds: float = 15.0
    signing_key: str
    """Base64; signs prediction ids. Never logged, never in an event."""
    probe: UUID | None = None
    """The id under which gateways answer in `GatewayReport.probed` whether `probe_version` loads and passes its smoke
    test: before a rollout's first step, and before a rollback."""
    probe_version: ServedVersion | None = None


class GatewayBoot(Strict):
    """One life of one gateway. `first_second` is its clock at the start, in whole seconds since the epoch.

    `sent_second` is the same clock when this is sent. A clock that is wrong by more than a slow request explains is
    corrected once, here, for everything that this boot says later.
    """

    boot: UUID
    gateway: str = Field(min_length=1, max_length=200)
    deployment: Name
    first_second: int = Field(ge=0, lt=2**40)
    sent_second: int = Field(ge=0, lt=2**40)


class Probed(Strict):
    probe: UUID
    version: UUID
    ok: bool
    detail: str = Field(default="", max_length=500)


class GatewayReport(Strict):
    """What a gateway has loaded and applies; each report is kept, and doubles as its heartbeat (one every 2 s)."""

    boot: UUID
    generation: GenerationNumber
    applied_weight: Fraction
    loaded: tuple[UUID, ...]
    """Versions ready to answer."""
    probed: tuple[Probed, ...] = ()


class ArmCounts(Strict):
    """Units that arrived in one second on one arm, each counted once, and how many of them ended in each way."""

    units: int = Field(ge=0, le=10_000_000)
    error: int = Field(default=0, ge=0)
    abandoned: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _a_unit_ends_once(self) -> Self:
        if self.error + self.abandoned > self.units:
            counted = f"{self.error} errors and {self.abandoned} abandoned of {self.units} units"
            raise ValueError(f"{counted}: a unit counts once")
        return self


class SessionUnit(Strict):
    key_hash: KeyHash
    arm: Arm
    end: UnitEnd


class GenerationSecond(Strict):
    """Everything that arrived in one second under one generation."""

    generation: GenerationNumber
    applied_weight: Fraction
    stable: ArmCounts
    canary: ArmCounts
    sessions: tuple[SessionUnit, ...] = Field(default=(), max_length=100_000)
    """Session mode, keyed units only: the fold keeps the first of a key by (second, boot); counts above are unkeyed."""


class Observation(Strict):
    """One boot's one second, sent once every unit that arrived in it has ended or met its deadline.

    Sent for empty seconds too and in order; the last one accepted is the boot's watermark.
    """

    boot: UUID
    second: int = Field(ge=0)
    generations: tuple[GenerationSecond, ...] = ()


class LostSecond(Observation):
    """A second that a boot had not sealed when it was killed, told by the gateway's next boot."""

    unfinished: bool = True
    """Units of it never ended, and count as errors. False: all had ended, and count as they did."""


class LostUnits(Strict):
    """What an earlier boot of this gateway had not sealed, under the old boot's id; each second is taken once.

    A second of that boot that was sealed is told as the observation that it is, in its turn.
    """

    boot: UUID
    seconds: tuple[LostSecond, ...]
    """In order."""
    more: bool = False
    """Another part follows. False: nothing more comes of that boot."""

    @model_validator(mode="after")
    def _of_one_boot_in_order(self) -> Self:
        told = [second.second for second in self.seconds]
        if told != sorted(set(told)):
            raise ValueError(f"seconds {told}: expected each once, in order")
        if strangers := {second.boot for second in self.seconds} - {self.boot}:
            raise ValueError(f"seconds of boot {strangers.pop()}: expected those of boot {self.boot}")
        return self


class ObservationAnswer(Tolerant):
    """The renewal of the canary's lease, the only way to get one."""

    watermark: int
    lease_seconds: float
    """0 when it is not renewed: the rollout's last fold is too old, or there is no canary."""


class FeedbackRequest(Strict):
    """Exactly one of `label` and `reference`."""

    prediction_id: str = Field(max_length=1000)
    """As the gateway gave it with the answer."""
    label: Label | None = None
    """Which label was right; of a generated text the verdict on it, `good` or `bad`."""
    reference: str | None = Field(default=None, min_length=1, max_length=MAX_REFERENCE_CHARACTERS)
    """The text that would have been right, where the answer is a generated one: that is right if it is the same but for
    blanks around it. It is compared and forgotten."""

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.label is None) == (self.reference is None):
            raise ValueError("expected exactly one of `label` and `reference`")
        return self


class FeedbackAnswer(Tolerant):
    counted: bool
    """False: kept and shown, never folded (its rollout has its verdict, or its unit was not counted). True: folded if
    it came before the policy's `label_wait_seconds` were over."""


class PredictionClaims(Tolerant):
    """What a signed prediction id says: `schemas.packed_claims`, and its signature behind a dot."""

    d: Name
    """Deployment."""
    r: UUID | None
    """Rollout."""
    g: int
    """Generation."""
    s: int
    """Step."""
    v: UUID
    """Version."""
    a: Arm
    u: str
    """Unit: the request id drawn by the gateway, or in session mode the key's hash."""
    i: int
    """Row within the request."""
    c: str
    """Outcome: the predicted class, or of a generated text the digest (`schemas.outcomes`)."""
    n: bool
    """Counted or not."""
    k: bool
    """The unit is a session's key."""
    b: UUID
    """The gateway's boot: what its clock is corrected by."""
    t: int = Field(ge=0, lt=2**40)
    """The second of arrival, by that clock."""


class Applied(Tolerant):
    """One span of what one gateway said it applied."""

    gateway: str
    boot: UUID
    generation: int
    applied_weight: float
    at: AwareDatetime
