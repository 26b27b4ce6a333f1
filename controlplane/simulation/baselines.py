"""What others do with the same traffic: thresholds over windows as their manuals show them, and a z-test at every tick.

Argo Rollouts: https://argo-rollouts.readthedocs.io/en/stable/features/analysis/ ("Background Analysis", the example).
Flagger: https://docs.flagger.app/usage/how-it-works (the example of the canary resource).
Each also in a variant that is tuned to this very world: it is told the stable rates, and allows the policy's margins.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import sqrt
from statistics import NormalDist
from typing import Final, Protocol

from controlplane.domain.analysis.eprocess import Counts
from controlplane.simulation.scenario import Result, Scenario
from controlplane.simulation.stream import PACE, Stream, Window
from controlplane.simulation.trial import Outcome
from controlplane.simulation.world import World, stable_rates
from schemas.rollouts import CanaryPolicy


class Baseline(Protocol):
    """A rollout by somebody else's rule."""

    @property
    def weight(self) -> float:
        """The canary's share now."""

    def look(self, now: int, stream: Stream) -> Result | None:
        """Every `PACE` seconds; HARM is a rollback, SAFE a promotion."""


@dataclass(frozen=True)
class Limits:
    """The largest share of errors, and of wrong answers and abandoned requests where anybody looks at them."""

    error: float
    wrong: float | None = None
    abandoned: float | None = None

    def kept(self, window: Window) -> bool:
        """A canary without requests has no success rate (0/0), and fails the check."""
        asked = ((window.error, self.error), (window.wrong, self.wrong), (window.abandoned, self.abandoned))
        return all(
            counts.canary_units > 0 and counts.canary_events <= limit * counts.canary_units
            for counts, limit in asked
            if limit is not None
        )


@dataclass
class Argo:
    """Background analysis: a rollout climbs by the clock; the analysis fails with more than `failure_limit` failures.

    The text of the manual says three failures, the controller asks for more than the limit: we do as it does. More than
    four measurements in a row without data are an error, which aborts too.
    """

    steps: tuple[float, ...]
    step_seconds: int
    starting_step: int
    interval: int
    window: int
    failure_limit: int
    limits: Limits
    consecutive_error_limit: int = 4
    _failed: int = 0
    _errors: int = 0

    def __post_init__(self) -> None:
        self.weight = self.steps[0]

    def look(self, now: int, stream: Stream) -> Result | None:
        step = now // self.step_seconds
        if step >= len(self.steps):
            return "SAFE"
        self.weight = self.steps[step]
        since = now - self.starting_step * self.step_seconds
        if since >= 0 and since % self.interval == 0 and now > 0:
            self._measure(stream.last(self.window))
        failed = self._failed > self.failure_limit or self._errors > self.consecutive_error_limit
        return "HARM" if failed else None

    def _measure(self, window: Window | None) -> None:
        self._errors = self._errors + 1 if window is None else 0
        self._failed += window is not None and not self.limits.kept(window)


@dataclass
class Flagger:
    """Every interval: a failed check counts and the weight stands, a good one lets it climb; `threshold` is the end.

    "No values found" is a failed check too.
    """

    interval: int
    threshold: int
    step_weight: int
    """Percent, as its manual has it."""
    max_weight: int
    limits: Limits
    _failed: int = 0

    def __post_init__(self) -> None:
        self._percent = self.step_weight

    @property
    def weight(self) -> float:
        return self._percent / 100

    def look(self, now: int, stream: Stream) -> Result | None:
        if now % self.interval or not now:
            return None
        if self._failed >= self.threshold:
            return "HARM"
        window = stream.last(self.interval)
        if window is None or not self.limits.kept(window):
            self._failed += 1
        elif self._percent >= self.max_weight:
            return "SAFE"
        else:
            self._percent = min(self._percent + self.step_weight, self.max_weight)
        return None


@dataclass
class ZTest:
    """Pooled counts since the start, one-sided, at every tick on our own ladder; promoted at the ladder's end."""

    steps: tuple[float, ...]
    step_seconds: int
    tick: int
    alpha: float
    critical: float = field(init=False)

    def __post_init__(self) -> None:
        self.weight = self.steps[0]
        self.critical = NormalDist().inv_cdf(1 - self.alpha)

    def look(self, now: int, stream: Stream) -> Result | None:
        if now % self.tick:
            return None
        if any(z_score(counts) > self.critical for counts in stream.all()):
            return "HARM"
        step = now // self.step_seconds
        if step >= len(self.steps):
            return "SAFE"
        self.weight = self.steps[step]
        return None


def z_score(counts: Counts) -> float:
    """The z score of the difference between the two arms' shares; 0 where there is nothing to compare."""
    if not counts.both_arms:
        return 0.0
    pooled = (counts.stable_events + counts.canary_events) / counts.units
    spread = sqrt(pooled * (1 - pooled) * (1 / counts.stable_units + 1 / counts.canary_units))
    difference = counts.canary_events / counts.canary_units - counts.stable_events / counts.stable_units
    return difference / spread if spread > 0 else 0.0


def _argo(_scenario: Scenario, _policy: CanaryPolicy) -> Baseline:
    # `irate` looks at the last two scrapes of its range: 15 s, Istio's Prometheus scraping every 15 s
    return Argo((0.2, 0.4, 0.6, 0.8), 600, 1, 300, 15, 3, Limits(0.05))


def _argo_tuned(scenario: Scenario, policy: CanaryPolicy) -> Baseline:
    """Our ladder, three measurements of a minute's rate in each step, a limit one margin above the stable rate."""
    return Argo(policy.steps, _step_seconds(policy), 0, 20, 60, 3, _allowed(scenario, policy))


def _flagger(_scenario: Scenario, _policy: CanaryPolicy) -> Baseline:
    return Flagger(60, 10, 5, 50, Limits(0.01))


def _flagger_tuned(scenario: Scenario, policy: CanaryPolicy) -> Baseline:
    return Flagger(60, 5, 10, 50, _allowed(scenario, policy))


def _z_every_tick(_scenario: Scenario, policy: CanaryPolicy) -> Baseline:
    return ZTest(policy.steps, _step_seconds(policy), _tick(policy), 0.05)


def _z_corrected(scenario: Scenario, policy: CanaryPolicy) -> Baseline:
    """Bonferroni over every look and metric."""
    looks = min(len(policy.steps) * _step_seconds(policy), scenario.seconds) / _tick(policy)
    return ZTest(policy.steps, _step_seconds(policy), _tick(policy), 0.05 / looks / len(policy.metrics))


def _allowed(scenario: Scenario, policy: CanaryPolicy) -> Limits:
    stable = stable_rates(scenario)
    allowed = {metric.name: stable[metric.name] + metric.margin for metric in policy.metrics}
    return Limits(allowed.get("error", stable["error"] + 0.01), allowed.get("wrong"), allowed.get("abandoned"))


def _step_seconds(policy: CanaryPolicy) -> int:
    return _paced(policy.step_seconds)


def _tick(policy: CanaryPolicy) -> int:
    return _paced(policy.tick_seconds)


def _paced(seconds: float) -> int:
    return max(1, round(seconds / PACE)) * PACE


BASELINES: Final[dict[str, Callable[[Scenario, CanaryPolicy], Baseline]]] = {
    "argo": _argo,
    "argo-tuned": _argo_tuned,
    "flagger": _flagger,
    "flagger-tuned": _flagger_tuned,
    "z-test": _z_every_tick,
    "z-corrected": _z_corrected,
}


def run_baseline(name: str, policy: CanaryPolicy, scenario: Scenario, seed: int) -> Outcome:
    """The same world as ours would meet, under another rule's weights."""
    adapted = scenario.adapt(policy)
    stream = Stream(scenario, World(scenario, adapted, seed))
    baseline = BASELINES[name](scenario, adapted)
    result: Result | None = None
    now = 0
    while result is None and now < scenario.seconds and not _spent(scenario, stream):
        stream.serve(now, baseline.weight)
        now += PACE
        result = baseline.look(now, stream)
    return Outcome(result or "UNDECIDED", name, now, stream.canary_units, stream.canary_units, 0.0, 0, False)


def _spent(scenario: Scenario, stream: Stream) -> bool:
    return bool(scenario.stop_at_units and stream.canary_units >= scenario.stop_at_units)
