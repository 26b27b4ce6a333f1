"""Draws what requests do: how many reach either arm in a second, how they end, and which labels come back.

Arrivals are Poisson, so that each fate of a request (answered, an error, hanging, labelled wrong, …) is a Poisson count
of its own: a second costs ten draws, however many requests it has.
"""

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from typing import Final

from controlplane.simulation.draws import Draws, PoissonTable, poisson_table
from controlplane.simulation.fates import ArmSecond, Fates
from controlplane.simulation.lanes import Lanes
from controlplane.simulation.scenario import Rates, Scenario
from schemas.rollouts import CanaryPolicy
from schemas.serving import Arm, CanaryMetricName, SessionUnit

NOTHING: Final = (ArmSecond(), ArmSecond())
SPARSE: Final = 0.9
"""Arrivals a second, below which they are drawn one by one."""


class World:
    """One scenario under one policy's margins, drawn from one seed."""

    def __init__(self, scenario: Scenario, policy: CanaryPolicy, seed: int) -> None:
        self._scenario = scenario
        self.draws = Draws(f"{scenario.name}/{seed}")
        self._error, self._wrong = base_rates(scenario, policy)
        self._labelled = "wrong" in policy.metric_names()
        self.compares_abandoned = "abandoned" in policy.metric_names()
        self._by_session = policy.randomize == "session"
        self._failing = round(scenario.users * scenario.failing_users)
        self._failing_on_canary = self._failing + round(scenario.users * scenario.failing_on_canary)
        self._lanes = Lanes(scenario, self.draws)
        self._fates = lru_cache(maxsize=1)(self._fates_at)
        """Asked for each session of a second."""
        self._arms: dict[tuple[int, int], Arm] = {}
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
        arms = self._arm(rate * (1 - weight), stable), self._arm(rate * weight, canary)
        return self._lanes.second(*arms) if self._lanes.matter else arms

    def sessions(self, at: int, step: int, weight: float, share: float) -> tuple[SessionUnit, ...]:
        """Each user once in a second, as a gateway's ledger does; sticky within a step."""
        users = dict.fromkeys(self._visitors(self._rate(at) * share))
        rates = self._scenario.error_drift(at, self._error)
        self._lanes.begin_second(len(users), weight)
        return tuple(self._session(step, user, weight, rates) for user in users)

    def session_labels(self, at: int, unit: SessionUnit) -> tuple[bool, float] | None:
        """Whether the user's answer of this second was wrong, and how late its label comes; None: it gets none."""
        stable, canary = self._fates(at)
        fates = stable if unit.arm == "stable" else canary
        wrong = self.draws.uniform() < fates.wrong
        if unit.end != "ok" or self.draws.uniform() >= (fates.wrong_labelled if wrong else fates.right_labelled):
            return None
        return wrong, next(self.delays(unit.arm, wrong, 1))[0]

    def wrong_rate(self, at: int) -> float:
        """The rate at which the canary's answers are wrong, labelled or not; 0 when the policy has no such metric."""
        return self._wrong_rates(at)[1] if self._labelled else 0.0

    def delays(self, arm: Arm, wrong: bool, number: int) -> Iterator[tuple[float, int]]:
        """How late each of these labels comes, and how many come then."""
        fixed = self._scenario.late.of(arm, wrong)
        if not self._scenario.label_delay:
            yield fixed, number
            return
        for _ in range(number):
            yield fixed + self.draws.random.expovariate(1 / self._scenario.label_delay), 1

    def _session(self, step: int, user: int, weight: float, error: Rates) -> SessionUnit:
        if (step, user) not in self._arms:
            self._arms[step, user] = self._draw_arm(weight)
        arm = self._arms[step, user]
        fails = self._fails(user, arm) or self._lanes.fails(arm, error[arm == "canary"])
        return _unit(user, arm, fails)

    def _rate(self, at: int) -> float:
        return self._scenario.requests_per_second * self._scenario.traffic(at)

    def _fates_at(self, at: int) -> tuple[Fates, Fates]:
        error = self._scenario.error_drift(at, self._error)
        wrong = tuple(self._as_labelled(rate) for rate in self._wrong_rates(at))
        hanging, left, labels = self._scenario.hanging, self._scenario.abandoned, self._scenario.labels
        on = 1.0 if self._labelled else 0.0
        return (
            Fates(hanging[0], left[0], error[0], wrong[0], on * labels.stable_right, on * labels.stable_wrong),
            Fates(hanging[1], left[1], error[1], wrong[1], on * labels.canary_right, on * labels.canary_wrong),
        )

    def _wrong_rates(self, at: int) -> Rates:
        stable, canary = self._scenario.wrong_drift(at, self._wrong)
        unknown = self._scenario.unknown
        return unknown[0] + (1 - unknown[0]) * stable, unknown[1] + (1 - unknown[1]) * canary

    def _as_labelled(self, rate: float) -> float:
        """Wrong labels make some right answers wrong, and some wrong ones right."""
        noise = self._scenario.label_noise
        return rate * (1 - noise) + (1 - rate) * noise

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


def stable_rates(scenario: Scenario) -> dict[CanaryMetricName, float]:
    """How the stable arm does at the start, as its owner would have measured it."""
    error = min(scenario.error[0] + scenario.failing_users + scenario.hanging[0], 1.0)
    return {"error": error, "wrong": scenario.wrong[0], "abandoned": scenario.abandoned[0]}


@lru_cache(maxsize=2**17)
def _unit(user: int, arm: Arm, error: bool) -> SessionUnit:
    return SessionUnit(key_hash=f"{user:032x}", arm=arm, end="error" if error else "ok")


@lru_cache(maxsize=2**16)
def _tables(rate: float, fates: Fates) -> tuple[PoissonTable | None, ...]:
    return tuple(poisson_table(each) if each > 1e-12 else None for each in _rates(rate, fates))


@lru_cache(maxsize=2**10)
def _cumulative(weight: float, stable: Fates, canary: Fates) -> tuple[float, ...]:
    return tuple(accumulate((*_rates(1 - weight, stable), *_rates(weight, canary))))


def _rates(rate: float, fates: Fates) -> tuple[float, ...]:
    """In the order of `ArmSecond`."""
    ended = rate * (1 - fates.hanging - fates.abandoned)
    answered = ended * (1 - fates.error)
    right = answered * (1 - fates.wrong) * fates.right_labelled
    wrong = answered * fates.wrong * fates.wrong_labelled
    return answered - right - wrong, right, wrong, ended * fates.error, rate * fates.hanging, rate * fates.abandoned


@lru_cache(maxsize=8)
def _harmonic(users: int) -> tuple[float, ...]:
    return tuple(accumulate(1 / rank for rank in range(1, users + 1)))
