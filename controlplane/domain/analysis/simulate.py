"""Imagined traffic through the product's own fold and decision: what a policy would do, before it is trusted.

`python -m controlplane.domain.analysis.simulate [runs]` writes the table of the specification.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import exp, log1p
from random import Random
from statistics import median
from typing import Final, Literal
from uuid import UUID

from controlplane.domain.analysis.fold import Batch, Label, fold
from controlplane.domain.analysis.state import AnalysisState, begin, enter
from controlplane.domain.analysis.verdict import assess
from schemas.rollouts import CanaryPolicy, ErrorMetric, WrongMetric
from schemas.serving import Arm, ArmCounts, GenerationSecond, Observation, SessionUnit

BOOT: Final = UUID(int=1)
ARMS: Final[tuple[Arm, Arm]] = ("stable", "canary")
FOLD_EVERY: Final = 10
# seconds: evidence moves when a block closes, so that asking more often changes little
Rates = tuple[float, float]
"""Of stable, of canary."""
Drift = Callable[[int, Rates], Rates]
Result = Literal["HARM", "SAFE", "INCONCLUSIVE", "INVALID"]


def steady(_: int, rates: Rates) -> Rates:
    return rates


@dataclass(frozen=True)
class Scenario:
    """One world: how much traffic, and how often each arm fails or is wrong."""

    name: str
    error: Rates = (0.01, 0.01)
    wrong: Rates = (0.18, 0.18)
    requests_per_second: float = 50
    labelled: float = 1.0
    error_drift: Drift = steady
    wrong_drift: Drift = steady
    users: int = 0
    """In session mode; `failing_users` of them fail always."""
    failing_users: float = 0.0
    seconds: int = 3600


@dataclass(frozen=True)
class Outcome:
    result: Result
    second: int
    canary_units: int


def run(policy: CanaryPolicy, scenario: Scenario, seed: int) -> Outcome:
    """One rollout from its first step to its verdict."""
    world = _World(scenario, Random(f"{scenario.name}/{seed}"))
    limited = policy.model_copy(update={"max_seconds": min(policy.max_seconds, scenario.seconds)})
    generation, step = 1, 0
    state = enter(begin(limited, started_at=0.0), generation, step, limited.steps[step])
    second = 0
    while True:
        span = range(second, second + FOLD_EVERY)
        seen = [world.second(at, generation, step, limited.steps[step]) for at in span]
        second, horizon = span.stop, span.stop - 1
        labels = [label for _, stored in seen for label in stored]
        state = fold(limited, state, Batch(horizon, [entry for entry, _ in seen], horizon, labels))
        assessment = assess(limited, state, now=float(second), last_heard=float(second))
        if assessment.verdict is not None:
            return Outcome(assessment.verdict, horizon, _canary_units(state))
        if assessment.ladder.may_leave and not assessment.ladder.last:
            generation, step = generation + 1, step + 1
            state = enter(state, generation, step, limited.steps[step])


def _canary_units(state: AnalysisState) -> int:
    return sum(entry.canary_units for entry in state.generations)


class _World:
    """Draws what one gateway would observe, second by second."""

    def __init__(self, scenario: Scenario, random: Random) -> None:
        self._scenario, self._random = scenario, random
        failing = round(scenario.users * scenario.failing_users)
        self._fails = [user < failing for user in range(scenario.users)]
        self._arms: dict[tuple[int, int], Arm] = {}

    def second(self, at: int, generation: int, step: int, weight: float) -> tuple[Observation, list[Label]]:
        arrivals = self._arrivals()
        if self._scenario.users:
            cell = self._sessions(arrivals, generation, step, weight)
            return Observation(boot=BOOT, second=at, generations=(cell,)), []
        canary = self._hits(arrivals, weight)
        units = (arrivals - canary, canary)
        error = self._scenario.error_drift(at, self._scenario.error)
        counts = [
            ArmCounts(units=number, error=self._hits(number, rate)) for number, rate in zip(units, error, strict=True)
        ]
        cell = GenerationSecond(generation=generation, applied_weight=weight, stable=counts[0], canary=counts[1])
        return Observation(boot=BOOT, second=at, generations=(cell,)), list(self._labels(at, generation, units))

    def _labels(self, at: int, generation: int, units: tuple[int, int]) -> Iterator[Label]:
        rates = self._scenario.wrong_drift(at, self._scenario.wrong)
        for arm, number, rate in zip(ARMS, units, rates, strict=True):
            labelled = self._hits(number, self._scenario.labelled)
            wrong = self._hits(labelled, rate)
            yield from [Label(generation, arm, True, float(at))] * wrong
            yield from [Label(generation, arm, False, float(at))] * (labelled - wrong)

    def _sessions(self, arrivals: int, generation: int, step: int, weight: float) -> GenerationSecond:
        users = dict.fromkeys(self._random.randrange(self._scenario.users) for _ in range(arrivals))
        sessions = tuple(
            SessionUnit(key_hash=f"{user:032x}", arm=self._arm(step, user, weight), error=self._fails[user])
            for user in users
        )
        nothing = ArmCounts(units=0)
        return GenerationSecond(
            generation=generation, applied_weight=weight, stable=nothing, canary=nothing, sessions=sessions
        )

    def _arm(self, step: int, user: int, weight: float) -> Arm:
        """Sticky within a step, drawn afresh in the next one."""
        if (step, user) not in self._arms:
            self._arms[step, user] = "canary" if self._random.random() < weight else "stable"
        return self._arms[step, user]

    def _arrivals(self) -> int:
        """Poisson, by Knuth's product of uniforms."""
        limit, product, arrivals = exp(-self._scenario.requests_per_second), self._random.random(), 0
        while product > limit:
            product *= self._random.random()
            arrivals += 1
        return arrivals

    def _hits(self, number: int, rate: float) -> int:
        """Binomial, by the geometric gaps between hits: cheap where hits are rare."""
        if rate > 0.5:
            return number - self._hits(number, 1 - rate)
        if rate <= 0:
            return 0
        hits, position, scale = -1, 0, log1p(-rate)
        while position <= number:
            position += 1 + int(log1p(-self._random.random()) / scale)
            hits += 1
        return hits


def climbing(last: float) -> Drift:
    """Both arms' rates climb in ten minutes to where the stable one's would be `last`."""

    def drift(at: int, rates: Rates) -> Rates:
        growth = 1 + (last / rates[0] - 1) * min(at / 600, 1)
        return rates[0] * growth, rates[1] * growth

    return drift


def incident(at: int, rates: Rates) -> Rates:
    """Both arms fail four times as often for 100 seconds."""
    factor = 4 if 60 <= at < 160 else 1
    return rates[0] * factor, rates[1] * factor


BOTH: Final = CanaryPolicy(metrics=(ErrorMetric(), WrongMetric(name="wrong", margin=0.05)))
BY_SESSION: Final = CanaryPolicy(metrics=(ErrorMetric(),), randomize="session")
SPECIFIED: Final[tuple[tuple[CanaryPolicy, Scenario], ...]] = (
    (BOTH, Scenario("equal")),
    (BOTH, Scenario("equal, labels on 20 %", labelled=0.2)),
    (BOTH, Scenario("equal, base rates climb", error_drift=climbing(0.03), wrong_drift=climbing(0.30))),
    (BOTH, Scenario("equal, shared incident", error_drift=incident)),
    (BOTH, Scenario("equal, 5 requests/s", requests_per_second=5, seconds=7200)),
    (BOTH, Scenario("wrong 3 points better", wrong=(0.18, 0.15))),
    (BOTH, Scenario("half of both margins", error=(0.01, 0.015), wrong=(0.18, 0.205))),
    (BOTH, Scenario("errors at the margin", error=(0.01, 0.02))),
    (BOTH, Scenario("wrong at the margin", wrong=(0.18, 0.23))),
    (BOTH, Scenario("errors 1 to 5 %", error=(0.01, 0.05))),
    (BOTH, Scenario("errors 1 to 5 %, 5 requests/s", error=(0.01, 0.05), requests_per_second=5, seconds=7200)),
    (BOTH, Scenario("wrong 18 to 26 %", wrong=(0.18, 0.26))),
    (BOTH, Scenario("flipped labels", wrong=(0.18, 0.80))),
    (BY_SESSION, Scenario("session, 2,000 users, 1 % fail", users=2000, failing_users=0.01)),
)


def table_row(policy: CanaryPolicy, scenario: Scenario, runs: int) -> str:
    """One row of the specification's table: shares in percent, and medians of the most frequent result."""
    outcomes = [run(policy, scenario, seed) for seed in range(runs)]
    results = Counter(outcome.result for outcome in outcomes)
    usual = results.most_common(1)[0][0]
    typical = [outcome for outcome in outcomes if outcome.result == usual]
    shares = " | ".join(f"{100 * results[name] / runs:.1f}" for name in ("HARM", "SAFE", "INCONCLUSIVE", "INVALID"))
    units = median(outcome.canary_units for outcome in typical)
    second = median(outcome.second for outcome in typical)
    return f"| {scenario.name} | {shares} | {usual} {units:.0f} ({second:.0f}) |"


def main(runs: int) -> None:
    out = sys.stdout.write
    out(f"| scenario ({runs} runs) | HARM % | SAFE % | INCONCLUSIVE % | INVALID % | median canary units (second) |\n")
    out("|---|---|---|---|---|---|\n")
    for policy, scenario in SPECIFIED:
        out(table_row(policy, scenario, runs) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
