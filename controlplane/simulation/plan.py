"""Before a canary starts: what it needs to see a harm, how likely it does, and how long a healthy one takes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from controlplane.simulation.report import Share, Spread, share_of, spread
from controlplane.simulation.scenario import LabelChances, Scenario
from controlplane.simulation.trial import Outcome
from schemas.rollouts import CanaryPolicy
from schemas.serving import CanaryMetricName

LEAST_SECONDS: Final = 4 * 3600
ENOUGH_UNITS: Final = 20_000
"""A canary that is undecided after four hours and so many requests is called that."""
FEWEST_RUNS, MOST_RUNS, USUAL_SECONDS = 20, 200, 1000
UNITS: Final = (100, 300, 1000, 3000)
SECONDS: Final = (60, 300, 900, 3600)


@dataclass(frozen=True)
class Traffic:
    """What is known of the stable version before the canary starts."""

    units_per_second: float
    stable_error: float
    stable_wrong: float = 0.0
    labelled: float = 1.0
    """The share of answers that get a label."""
    stable_abandoned: float = 0.0

    def stable(self, metric: CanaryMetricName) -> float:
        rates = {"error": self.stable_error, "wrong": self.stable_wrong, "abandoned": self.stable_abandoned}
        return rates[metric]


@dataclass(frozen=True)
class HealthyPlan:
    """A canary that is as good as the stable version."""

    promoted: Share
    rolled_back: Share
    seconds: Spread | None
    """To the promotion; None: there is none."""
    canary_units: Spread | None


@dataclass(frozen=True)
class HarmPlan:
    """A canary whose rate of one metric is this one."""

    metric: CanaryMetricName
    rate: float
    caught: Share
    promoted: Share
    seconds: Spread | None
    """To the rollback."""
    canary_units: Spread | None
    caught_within_units: dict[int, Share]
    caught_within_seconds: dict[int, Share]
    bad_answers: float
    """Mean number of errors and wrong answers that the canary gives until it is decided."""
    bad_answers_of_stable: float
    """What the stable version would have given of them."""


@dataclass(frozen=True)
class Plan:
    runs: int
    simulated_seconds: int
    """An undecided canary was followed for so long."""
    healthy: HealthyPlan | None
    """None: nothing was played, for it can never be promoted."""
    harms: tuple[HarmPlan, ...]
    never: str | None
    """Why this traffic cannot promote within the maximum duration, if so."""


def healthy_world(policy: CanaryPolicy, traffic: Traffic) -> Scenario:
    chance = traffic.labelled
    return Scenario(
        name="plan",
        description="a healthy canary",
        kind="healthy",
        error=(traffic.stable_error, traffic.stable_error),
        wrong=(traffic.stable_wrong, traffic.stable_wrong),
        abandoned=(traffic.stable_abandoned, traffic.stable_abandoned),
        requests_per_second=traffic.units_per_second,
        labels=LabelChances(chance, chance, chance, chance),
        seconds=followed_seconds(policy, traffic),
        fold_seconds=min(60, max(5, ceil(5 / traffic.units_per_second))),
    )


def harmful_world(policy: CanaryPolicy, traffic: Traffic, metric: CanaryMetricName, rate: float) -> Scenario:
    healthy, rates = healthy_world(policy, traffic), (traffic.stable(metric), rate)
    if metric == "error":
        return replace(healthy, name="plan/error", error=rates)
    if metric == "abandoned":
        return replace(healthy, name="plan/abandoned", abandoned=rates)
    return replace(healthy, name="plan/wrong", wrong=rates)


def followed_seconds(policy: CanaryPolicy, traffic: Traffic) -> int:
    return int(min(policy.max_seconds, max(LEAST_SECONDS, ENOUGH_UNITS / traffic.units_per_second)))


def default_harms(policy: CanaryPolicy, traffic: Traffic) -> dict[CanaryMetricName, float]:
    """Two margins above the stable rate of every metric: what no one would call safe."""
    return {metric.name: min(1.0, traffic.stable(metric.name) + 2 * metric.margin) for metric in policy.metrics}


def runs_for(policy: CanaryPolicy, traffic: Traffic) -> int:
    """Fewer where an imagined rollout is long: it is played second by second."""
    longest = min(followed_seconds(policy, traffic), ENOUGH_UNITS / 4 / traffic.units_per_second)
    return max(FEWEST_RUNS, min(MOST_RUNS, round(MOST_RUNS * USUAL_SECONDS / max(longest, 1))))


def fastest_promotion(policy: CanaryPolicy, traffic: Traffic) -> float:
    """Seconds until every step has its units of every metric on the canary's arm, on average: none is faster."""
    slowest = min((1.0, *(traffic.labelled for metric in policy.metrics if metric.name == "wrong")))
    rate = traffic.units_per_second * slowest
    return sum(max(policy.step_seconds, policy.step_units / (rate * weight)) for weight in policy.steps)


def hopeless(policy: CanaryPolicy, traffic: Traffic) -> Plan | None:
    """The plan that needs no playing: this traffic fills no ladder of this policy in time."""
    never = why_never(policy, traffic)
    return Plan(0, 0, None, (), never) if never else None


def why_never(policy: CanaryPolicy, traffic: Traffic) -> str | None:
    fastest = fastest_promotion(policy, traffic)
    if fastest <= policy.max_seconds:
        return None
    return (
        f"the steps need about {fastest:.0f} s to see {policy.step_units} units of every metric on the canary: "
        f"the maximum duration is {policy.max_seconds:.0f} s, so this traffic can never promote"
    )


def summarize_plan(
    policy: CanaryPolicy,
    traffic: Traffic,
    healthy: Sequence[Outcome],
    harms: Mapping[tuple[CanaryMetricName, float], Sequence[Outcome]],
) -> Plan:
    followed, good = followed_seconds(policy, traffic), _healthy(healthy)
    never = why_never(policy, traffic)
    if not never and not good.promoted.count and followed >= int(policy.max_seconds):
        never = f"none of {len(healthy)} healthy canaries was promoted within the maximum duration of {followed} s"
    return Plan(
        runs=len(healthy),
        simulated_seconds=followed,
        healthy=good,
        harms=tuple(_harm(policy, traffic, metric, rate, found) for (metric, rate), found in harms.items()),
        never=never,
    )


def _healthy(outcomes: Sequence[Outcome]) -> HealthyPlan:
    promoted = [outcome for outcome in outcomes if outcome.result == "SAFE"]
    harmed = sum(outcome.result == "HARM" for outcome in outcomes)
    return HealthyPlan(
        promoted=share_of(len(promoted), len(outcomes)),
        rolled_back=share_of(harmed, len(outcomes)),
        seconds=_spread(outcome.second for outcome in promoted),
        canary_units=_spread(outcome.canary_units for outcome in promoted),
    )


def _harm(
    policy: CanaryPolicy, traffic: Traffic, metric: CanaryMetricName, rate: float, outcomes: Sequence[Outcome]
) -> HarmPlan:
    caught = [outcome for outcome in outcomes if outcome.result == "HARM"]
    runs = len(outcomes)
    served = sum(outcome.canary_served for outcome in outcomes) / runs
    return HarmPlan(
        metric=metric,
        rate=rate,
        caught=share_of(len(caught), runs),
        promoted=share_of(sum(outcome.result == "SAFE" for outcome in outcomes), runs),
        seconds=_spread(outcome.second for outcome in caught),
        canary_units=_spread(outcome.canary_units for outcome in caught),
        caught_within_units={n: share_of(sum(one.canary_units <= n for one in caught), runs) for n in UNITS},
        caught_within_seconds={n: share_of(sum(one.second <= n for one in caught), runs) for n in SECONDS},
        bad_answers=sum(outcome.canary_bad for outcome in outcomes) / runs,
        bad_answers_of_stable=served * _stable_bad(policy, traffic),
    )


def _stable_bad(policy: CanaryPolicy, traffic: Traffic) -> float:
    wrong = traffic.stable_wrong if "wrong" in policy.metric_names() else 0.0
    return traffic.stable_error + (1 - traffic.stable_error) * wrong


def _spread(values: Iterable[float]) -> Spread | None:
    kept = list(values)
    return spread(kept) if kept else None
