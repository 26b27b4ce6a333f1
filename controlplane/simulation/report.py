"""What many runs of one scenario say: shares with their intervals, and how long and how many requests it took."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from controlplane.simulation.baselines import run_baseline
from controlplane.simulation.intervals import interval, quantile
from controlplane.simulation.scenario import RESULTS, Bound, Result, Scenario
from controlplane.simulation.trial import Outcome, run
from schemas.rollouts import CanaryPolicy

OURS: Final = "graftwork"
CURVE_POINTS: Final = 100
Held = Literal["yes", "no", "unclear"]


@dataclass(frozen=True)
class Share:
    """How many of all runs, and what share of them, with its two-sided 95 % Clopper-Pearson interval."""

    count: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Spread:
    median: float
    p90: float


@dataclass(frozen=True)
class Row:
    """One scenario as one contender met it."""

    scenario: str
    description: str
    kind: str
    contender: str
    runs: int
    results: dict[Result, Share]
    usual: Result
    seconds: Spread
    """To the decision, of the runs that ended in the usual result; so the other one."""
    canary_units: Spread
    interrupted: float
    """The share of runs that were INVALID for a while and went on."""
    late_units: float
    """Mean a run: refused, because the fold had passed their second."""
    bound: Bound | None
    held: Held | None
    """"unclear": the bound lies inside the interval."""
    curve: tuple[tuple[int, float], ...] = ()
    """For a harmful canary: after so many canary requests, this share of the runs had been rolled back."""


def play(policy: CanaryPolicy, scenario: Scenario, contender: str, seeds: Sequence[int]) -> list[Outcome]:
    """Every seed's outcome; a process of its own may do this."""
    if contender == OURS:
        return [run(policy, scenario, seed) for seed in seeds]
    return [run_baseline(contender, policy, scenario, seed) for seed in seeds]


def summarize(scenario: Scenario, contender: str, outcomes: Sequence[Outcome]) -> Row:
    found = Counter(outcome.result for outcome in outcomes)
    usual = found.most_common(1)[0][0]
    typical = [outcome for outcome in outcomes if outcome.result == usual]
    runs = len(outcomes)
    shares = {result: share_of(found[result], runs) for result in RESULTS}
    bound = scenario.must_hold if contender == OURS else None
    return Row(
        scenario=scenario.name,
        description=scenario.description,
        kind=scenario.kind,
        contender=contender,
        runs=runs,
        results=shares,
        usual=usual,
        seconds=spread(outcome.second for outcome in typical),
        canary_units=spread(outcome.canary_units for outcome in typical),
        interrupted=sum(outcome.interrupted for outcome in outcomes) / runs,
        late_units=sum(outcome.late_units for outcome in outcomes) / runs,
        bound=bound,
        held=holds(bound, shares) if bound else None,
        curve=caught_by_units(outcomes) if scenario.kind == "harm" else (),
    )


def caught_by_units(outcomes: Sequence[Outcome]) -> tuple[tuple[int, float], ...]:
    caught = sorted(outcome.canary_units for outcome in outcomes if outcome.result == "HARM")
    by_units = {units: place / len(outcomes) for place, units in enumerate(caught, start=1)}
    kept = sorted(by_units.items())
    return tuple(kept[:: max(1, len(kept) // CURVE_POINTS)]) + tuple(kept[-1:])


def share_of(events: int, runs: int) -> Share:
    return Share(events, events / runs, *interval(events, runs))


def spread(values: Iterable[float]) -> Spread:
    kept = list(values)
    return Spread(quantile(kept, 0.5), quantile(kept, 0.9))


def holds(bound: Bound, shares: dict[Result, Share]) -> Held:
    """By the interval: a bound is held, or broken, only when the whole interval says so."""
    share = shares[bound.result]
    if share.high <= bound.at_most and share.low >= bound.at_least:
        return "yes"
    return "no" if share.low > bound.at_most or share.high < bound.at_least else "unclear"
