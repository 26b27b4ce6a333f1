"""One world in words and numbers: its traffic, what either arm does, and what befalls gateways and labels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from schemas.rollouts import CanaryPolicy
from schemas.serving import Arm, CanaryMetricName

Result = Literal["HARM", "SAFE", "INCONCLUSIVE", "INVALID", "UNDECIDED"]
RESULTS: Final[tuple[Result, ...]] = ("HARM", "SAFE", "INCONCLUSIVE", "INVALID", "UNDECIDED")
Kind = Literal["healthy", "margin", "harm", "invalid", "other"]
Rates = tuple[float, float]
"""A rate of the stable version and one of the canary, in this order."""
Drift = Callable[[int, Rates], Rates]


class Bound(NamedTuple):
    """What must hold of a share, in every world of that kind."""

    result: Result
    at_most: float = 1.0
    at_least: float = 0.0


BOUNDS: Final[dict[Kind, Bound | None]] = {
    "healthy": Bound("HARM", at_most=0.04),
    "margin": Bound("SAFE", at_most=0.05),
    "harm": Bound("HARM", at_least=0.95),
    "invalid": Bound("INVALID", at_least=0.90),  # a false alarm of harm may come first
    "other": None,
}


class Outage(NamedTuple):
    """No observation of these gateways (None: of any) reaches the control plane from `start` until `stop`."""

    start: int
    stop: int
    gateway: int | None = None


class LabelChances(NamedTuple):
    """How likely an answer gets its label: by arm, and by whether it was right or wrong."""

    stable_right: float = 1.0
    stable_wrong: float = 1.0
    canary_right: float = 1.0
    canary_wrong: float = 1.0

    def of(self, arm: Arm, wrong: bool) -> float:
        return self[2 * (arm == "canary") + wrong]


class Late(NamedTuple):
    """Seconds that every label comes late: by arm, and by whether the answer was right or wrong."""

    stable_right: float = 0.0
    stable_wrong: float = 0.0
    canary_right: float = 0.0
    canary_wrong: float = 0.0

    def of(self, arm: Arm, wrong: bool) -> float:
        return self[2 * (arm == "canary") + wrong]


ALL_LABELLED: Final = LabelChances()
ON_TIME: Final = Late()


Adapt = Callable[[CanaryPolicy], CanaryPolicy]


def steady(_: int, rates: Rates) -> Rates:
    return rates


def even(_: int) -> float:
    return 1.0


def unchanged(policy: CanaryPolicy) -> CanaryPolicy:
    return policy


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Everything that is not the policy. Times are seconds since the canary first got weight."""

    name: str
    description: str
    kind: Kind
    bound: Bound | None = None
    """None: its kind's."""
    error: Rates = (0.01, 0.01)
    wrong: Rates = (0.18, 0.18)
    error_margins: float = 0.0
    """How many of the policy's margins the canary's error rate lies above `error`."""
    wrong_margins: float = 0.0
    error_drift: Drift = steady
    wrong_drift: Drift = steady
    hanging: Rates = (0.0, 0.0)
    """Units that never end: errors once the deadline has passed."""
    abandoned: Rates = (0.0, 0.0)
    """Units whose callers hang up before there is anything to read, and before the deadline."""
    requests_per_second: float = 50
    traffic: Callable[[int], float] = even
    """A factor on the requests."""
    labels: LabelChances = ALL_LABELLED
    label_delay: float = 0.0
    """Mean of an exponential delay, besides."""
    late: Late = ON_TIME
    label_noise: float = 0.0
    """The share of labels that say the opposite of the truth."""
    unknown: Rates = (0.0, 0.0)
    """The share of rows whose class one arm does not know, and the other does: its answer is wrong."""
    group: int = 1
    """So many errors of an arm come together."""
    stall_every: int = 0
    """One in so many requests stalls its arm's lane; 0: none does."""
    stall_seconds: int = 0
    """For so long everything on that lane fails."""
    users: int = 0
    """0: every request is somebody else's."""
    failing_users: float = 0.0
    """The share of users whose requests always fail."""
    failing_on_canary: float = 0.0
    """… and of those whose requests fail on the canary only."""
    uneven_users: bool = False
    """User k sends 1/k as many requests as the first."""
    lags: tuple[int, ...] = (0,)
    """One entry a gateway: how late it puts a generation in force."""
    clocks: tuple[int, ...] = ()
    """How far each gateway's clock is ahead of the database's; none: they agree."""
    outages: tuple[Outage, ...] = ()
    deaths: tuple[tuple[int, int], ...] = ()
    """(gateway, second): killed by the machine."""
    kill: float = 0.0
    """The chance that a canary request takes its gateway with it."""
    canary_loads: bool = True
    """False: the gateways cannot load the canary, and say that they apply weight 0."""
    true_weight: float = 1.0
    """What the router really does, as a factor on the weight that the gateway says it applies."""
    seconds: int = 3600
    """A longer maximum duration is cut to this."""
    fold_seconds: int = 5
    """The reconciler folds every second. Evidence moves by whole blocks, so half a tick costs four seconds at most."""
    stop_at_units: int = 0
    """End undecided at so many counted canary units; 0: never."""
    adapt: Adapt = unchanged
    """What the policy must be like for this question to be asked."""
    needs: frozenset[CanaryMetricName] = frozenset()
    """Metrics without which the scenario says nothing."""
    gateways_matter: bool = False
    """It is about gateways, which threshold analyses of one stream do not have."""

    @property
    def must_hold(self) -> Bound | None:
        return self.bound or BOUNDS[self.kind]
