"""Draws what requests do: how many reach either arm in a second, how they end, and which labels come back.

Arrivals are Poisson, so that each fate of a request (answered, an error, hanging, labelled wrong, …) is a Poisson count
of its own: a second costs ten draws, however many requests it has.
"""

from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import Final, NamedTuple

from controlplane.domain.simulation.draws import Draws, PoissonTable, poisson_table
from controlplane.domain.simulation.scenario import Rates, Scenario
from schemas.rollouts import CanaryPolicy
from schemas.serving import Arm, SessionUnit


class ArmSecond(NamedTuple):
    """One arm's units of one second by their fate; a hanging one has not ended yet."""

    unlabelled: int = 0
    right: int = 0
    wrong: int = 0
    failed: int = 0
    hanging: int = 0

    @property
    def units(self) -> int:
        return sum(self)

    @property
    def errors(self) -> int:
        return self.failed + self.hanging


NOTHING: Final = (ArmSecond(), ArmSecond())
SPARSE: Final = 0.9
"""Arrivals a second, below which they are drawn one by one."""


class Fates(NamedTuple):
    """How likely a request of one arm ends in each way."""

    hanging: float
    error: float
    wrong: float
    right_labelled: float
    wrong_labelled: float


class World:
    """One scenario under one policy's margins, drawn from one seed."""

    def __init__(self, scenario: Scenario, policy: CanaryPolicy, seed: int) -> None:
        self._scenario = scenario
        self.draws = Draws(f"{scenario.name}/{seed}")
        self._error, self._wrong = base_rates(scenario, policy)
        self._labelled = any(metric.name == "wrong" for metric in policy.metrics)
        self._by_session = policy.randomize == "session"
        self._failing = round(scenario.users * scenario.failing_users)
        self._failing_on_canary = self._failing + round(scenario.users * scenario.failing_on_canary)
        self._sessions: dict[tuple[int, int], SessionUnit] = {}
        self._sticky: dict[tuple[float, int], Arm] = {}

    @property
    def keyed(self) -> bool:
        """Its units are sessions."""
        return self._by_session and self._scenario.users > 0

    def second(self, at: int, weight: float, share: float) -> tuple[ArmSecond, ArmSecond]:
        """What one gateway meets that gets this share of the traffic: stable, canary."""
        rate = self._rate(at) * share
        if self._scenario.users:
            return self._users_by_request(rate, weight)
        stable, canary = self._fates(at)
        if rate < SPARSE:
            return self._one_by_one(rate, weight, stable, canary)
        return self._arm(rate * (1 - weight), stable), self._arm(rate * weight, canary)

    def sessions(self, at: int, step: int, weight: float, share: float) -> tuple[SessionUnit, ...]:
        """Each user once in a second, as a gateway's ledger does; sticky within a step."""
        users = dict.fromkeys(self._visitors(self._rate(at) * share))
        return tuple(self._session(step, user, weight) for user in users)

    def wrong_rate(self, at: int) -> float:
        """Of the canary's answers, labelled or not; 0 when the policy has no such metric."""
        return self._scenario.wrong_drift(at, self._wrong)[1] if self._labelled else 0.0

    def _session(self, step: int, user: int, weight: float) -> SessionUnit:
        if (step, user) not in self._sessions:
            arm = self._draw_arm(weight)
            unit = SessionUnit(key_hash=f"{user:032x}", arm=arm, error=self._fails(user, arm))
            self._sessions[step, user] = unit
        return self._sessions[step, user]

    def _rate(self, at: int) -> float:
        return self._scenario.requests_per_second * self._scenario.traffic(at)

    def _fates(self, at: int) -> tuple[Fates, Fates]:
        error, wrong = self._scenario.error_drift(at, self._error), self._scenario.wrong_drift(at, self._wrong)
        hanging, labels = self._scenario.hanging, self._scenario.labels
        on = 1.0 if self._labelled else 0.0
        return (
            Fates(hanging[0], error[0], wrong[0], on * labels.stable_right, on * labels.stable_wrong),
            Fates(hanging[1], error[1], wrong[1], on * labels.canary_right, on * labels.canary_wrong),
        )

    def _one_by_one(self, rate: float, weight: float, stable: Fates, canary: Fates) -> tuple[ArmSecond, ArmSecond]:
        """The same counts where most seconds are empty: one draw for all arrivals, then one for each."""
        arrivals = self.draws.poisson(rate)
        if not arrivals:
            return NOTHING
        cumulative = _cumulative(weight, stable, canary)
        found = [0] * len(cumulative)
        for _ in range(arrivals):
            found[bisect_right(cumulative, self.draws.uniform() * cumulative[-1])] += 1
        fates = len(ArmSecond._fields)
        return ArmSecond(*found[:fates]), ArmSecond(*found[fates:])

    def _arm(self, rate: float, fates: Fates) -> ArmSecond:
        draw = self.draws.from_table
        return ArmSecond(*(draw(table) if table else 0 for table in _tables(rate, fates)))

    def _visitors(self, rate: float) -> list[int]:
        number, users = self.draws.poisson(rate), self._scenario.users
        if self._scenario.uneven_users:
            return self.draws.random.choices(range(users), cum_weights=_harmonic(users), k=number)
        return [int(self.draws.uniform() * users) for _ in range(number)]

    def _users_by_request(self, rate: float, weight: float) -> tuple[ArmSecond, ArmSecond]:
        counts = {arm: [0, 0] for arm in ("stable", "canary")}
        for user in self._visitors(rate):
            arm = self._sticky_arm(user, weight) if self.keyed else self._draw_arm(weight)
            counts[arm][self._fails(user, arm)] += 1
        stable, canary = (ArmSecond(unlabelled=good, failed=bad) for good, bad in counts.values())
        return stable, canary

    def _draw_arm(self, weight: float) -> Arm:
        return "canary" if self.draws.uniform() < weight else "stable"

    def _sticky_arm(self, user: int, weight: float) -> Arm:
        """For those who count requests though users stay on an arm until the weight changes."""
        if (weight, user) not in self._sticky:
            self._sticky[weight, user] = self._draw_arm(weight)
        return self._sticky[weight, user]

    def _fails(self, user: int, arm: Arm) -> bool:
        shuffled = (user * 7919 + 1013) % self._scenario.users  # the busiest users are not the failing ones
        return shuffled < (self._failing_on_canary if arm == "canary" else self._failing)


def base_rates(scenario: Scenario, policy: CanaryPolicy) -> tuple[Rates, Rates]:
    """Error and wrong of both arms before any drift, with the policy's own margins where the scenario asks for them."""
    margins = {metric.name: metric.margin for metric in policy.metrics}
    error = scenario.error[1] + scenario.error_margins * margins.get("error", 0.0)
    wrong = scenario.wrong[1] + scenario.wrong_margins * margins.get("wrong", 0.0)
    return (scenario.error[0], error), (scenario.wrong[0], wrong)


def stable_rates(scenario: Scenario) -> tuple[float, float]:
    """Error and wrong of the stable arm at the start, as its owner would have measured them."""
    return min(scenario.error[0] + scenario.failing_users + scenario.hanging[0], 1.0), scenario.wrong[0]


@lru_cache(maxsize=2**16)
def _tables(rate: float, fates: Fates) -> tuple[PoissonTable | None, ...]:
    return tuple(poisson_table(each) if each > 1e-12 else None for each in _rates(rate, fates))


@lru_cache(maxsize=2**10)
def _cumulative(weight: float, stable: Fates, canary: Fates) -> tuple[float, ...]:
    return tuple(accumulate((*_rates(1 - weight, stable), *_rates(weight, canary))))


def _rates(rate: float, fates: Fates) -> tuple[float, ...]:
    """In the order of `ArmSecond`."""
    ended = rate * (1 - fates.hanging)
    answered = ended * (1 - fates.error)
    right = answered * (1 - fates.wrong) * fates.right_labelled
    wrong = answered * fates.wrong * fates.wrong_labelled
    return answered - right - wrong, right, wrong, ended * fates.error, rate * fates.hanging


@lru_cache(maxsize=8)
def _harmonic(users: int) -> tuple[float, ...]:
    return tuple(accumulate(1 / rank for rank in range(1, users + 1)))
