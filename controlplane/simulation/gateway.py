"""An imagined gateway: follows generations, holds a lease, seals its seconds, and may die with units open."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from uuid import UUID

from controlplane.domain.analysis.cohorts import Label
from controlplane.simulation.control import ControlPlane, Desired
from controlplane.simulation.fates import ArmSecond
from controlplane.simulation.lanes import ARMS
from controlplane.simulation.scenario import Scenario
from controlplane.simulation.world import World
from schemas.serving import Arm, ArmCounts, GenerationSecond, LostSecond, LostUnits, Observation, SessionUnit

RESTART_SECONDS: Final = 5
LATENCY_SECONDS: Final = 0.05
"""What is open when a gateway dies arrived within so long."""
NOBODY: Final = ArmCounts(units=0)


@dataclass
class Served:
    """Canary answers, counted or not."""

    units: int = 0
    bad: float = 0.0


@dataclass(frozen=True)
class Sealed:
    """One second, and when all of its units have ended."""

    ready_at: float
    observation: Observation
    hanging: tuple[int, int]


@dataclass(frozen=True)
class Remains:
    """What a dead boot had not told: seconds that it had sealed, and what its journal has of the others."""

    sealed: tuple[Observation, ...]
    lost: LostUnits


class Gateway:
    """One place in the fleet: boot after boot."""

    def __init__(self, number: int, scenario: Scenario, world: World, control: ControlPlane) -> None:
        self._number, self._scenario, self._world, self._control = number, scenario, world, control
        self._lag = scenario.lags[number]
        self._ahead = scenario.clocks[number] if scenario.clocks else 0
        self._deaths = {second for gateway, second in scenario.deaths if gateway == number}
        self._outages = [one for one in scenario.outages if one.gateway in (None, number)]
        self._lease_until: float
        self._lives, self._down_until, self._remains = 0, 0, list[Remains]()
        self.served = Served()
        self._boot(0)

    def alive(self, at: int) -> bool:
        return at >= self._down_until

    def serve(self, at: int, share: float) -> None:
        """One second of traffic, by the wall clock of the world."""
        desired = self._in_force(at)
        leased = at <= self._lease_until and self._scenario.canary_loads
        applied = desired.weight if leased else 0.0
        sends = applied * self._scenario.true_weight
        if self._world.keyed:
            stable, canary = self._observe_sessions(at, desired, applied, share)
        else:
            stable, canary = self._world.second(at, sends, share)
            self._observe(at, desired, applied, (stable, canary))
        if at in self._deaths or self._is_killed(canary):
            self._die(at, applied, share)

    def send(self, now: int) -> None:
        """Everything that has ended, in order; only an answer renews the lease."""
        if not self._connected(now):
            return
        while self._remains:
            remains = self._remains.pop(0)
            for observation in remains.sealed:
                self._control.observe(observation, now)
            self._control.lose(remains.lost)
        while self._unsent and self._unsent[0].ready_at <= now:
            lease = self._control.observe(self._unsent.popleft().observation, now)
            self._lease_until = now + lease if lease > 0 else self._lease_until

    def reboot(self, now: int) -> None:
        if self._down_until == now:
            self._boot(now)

    def _boot(self, now: int) -> None:
        self._lives += 1
        self._boot_id = UUID(int=self._number * 1000 + self._lives)
        self._unsent: deque[Sealed] = deque()
        self._lease_until = -1.0
        self._control.register(self._boot_id, now + self._ahead, now)

    def _in_force(self, at: int) -> Desired:
        known = [desired for desired in self._control.desired[-4:] if desired.since + self._lag <= at]
        return known[-1] if known else self._control.desired[0]

    def _connected(self, now: int) -> bool:
        return not any(outage.start <= now < outage.stop for outage in self._outages)

    def _observe(self, at: int, desired: Desired, applied: float, arms: tuple[ArmSecond, ArmSecond]) -> None:
        stable, canary = arms
        cell = _cell(desired.generation, applied, *(_counts(arm.units, arm.errors, arm.abandoned) for arm in arms))
        self._seal(at, cell, (stable.hanging, canary.hanging))
        answered = canary.unlabelled + canary.right + canary.wrong
        self.served.units += canary.units
        self.served.bad += canary.errors + answered * self._world.wrong_rate(at)
        if applied > 0:
            for arm, seen in zip(ARMS, arms, strict=True):
                self._label(at, desired.generation, arm, seen)

    def _observe_sessions(self, at: int, desired: Desired, applied: float, share: float) -> tuple[ArmSecond, ArmSecond]:
        units = self._world.sessions(at, desired.step, applied, share)
        cell = _cell(desired.generation, applied, NOBODY, NOBODY)
        self._seal(at, cell.model_copy(update={"sessions": units}), (0, 0))
        if applied > 0:
            self._label_sessions(at, desired.generation, units)
        failed = [sum(unit.end == "error" for unit in units if unit.arm == arm) for arm in ARMS]
        served = [sum(unit.arm == arm for unit in units) for arm in ARMS]
        self.served.units += served[1]
        self.served.bad += failed[1]
        return tuple(ArmSecond(unlabelled=all_ - bad, failed=bad) for all_, bad in zip(served, failed, strict=True))  # type: ignore[return-value]

    def _seal(self, at: int, cell: GenerationSecond, hanging: tuple[int, int]) -> None:
        observation = Observation(boot=self._boot_id, second=at + self._ahead, generations=(cell,))
        waits = self._control.policy.deadline_seconds if any(hanging) else 0.0
        self._unsent.append(Sealed(at + 1 + waits, observation, hanging))

    def _label(self, at: int, generation: int, arm: Arm, seen: ArmSecond) -> None:
        second = at + self._ahead
        for wrong, number in ((True, seen.wrong), (False, seen.right)):
            for delay, alike in self._world.delays(arm, wrong, number):
                self._control.label(Label(generation, arm, wrong, second, second + 1 + int(delay), number=alike))

    def _label_sessions(self, at: int, generation: int, units: Sequence[SessionUnit]) -> None:
        for unit in units:
            if (found := self._world.session_labels(at, unit)) is not None:
                wrong, delay = found
                second = at + self._ahead
                self._control.label(Label(generation, unit.arm, wrong, second, second + 1 + int(delay), unit.key_hash))

    # --- the end of a boot --------------------------------------------------------------------------------------------

    def _is_killed(self, canary: ArmSecond) -> bool:
        kill = self._scenario.kill
        return kill > 0 and self._world.draws.uniform() > (1 - kill) ** canary.units

    def _die(self, at: int, applied: float, share: float) -> None:
        """What had not been told is in the journal, for the next boot to tell: all of it, and how it ended."""
        sealed: list[Observation] = []
        while self._unsent and self._unsent[0].ready_at <= at:
            sealed.append(self._unsent.popleft().observation)
        *before, last = map(_unsealed, self._unsent)  # the last one is that in which it dies
        died = last.model_copy(update={"generations": self._caught(last, at, applied, share), "unfinished": True})
        self._remains.append(Remains(tuple(sealed), LostUnits(boot=self._boot_id, seconds=(*before, died))))
        self._unsent.clear()
        self._down_until = at + 1 + RESTART_SECONDS

    def _caught(self, last: LostSecond, at: int, applied: float, share: float) -> tuple[GenerationSecond, ...]:
        """With the killer, if it was a canary request, and the requests beside it."""
        (ended,) = last.generations
        killer = 0 if at in self._deaths else 1
        stable, canary = (arm.units for arm in self._world.second(at, applied, share * LATENCY_SECONDS))
        open_units = {"stable": _failed(ended.stable, stable), "canary": _failed(ended.canary, canary + killer)}
        return (ended.model_copy(update=open_units),)


@lru_cache(maxsize=2**16)
def _counts(units: int, error: int, abandoned: int = 0) -> ArmCounts:
    return ArmCounts(units=units, error=error, abandoned=abandoned)


@lru_cache(maxsize=2**12)
def _cell(generation: int, applied: float, stable: ArmCounts, canary: ArmCounts) -> GenerationSecond:
    return GenerationSecond(generation=generation, applied_weight=applied, stable=stable, canary=canary)


def _failed(counts: ArmCounts, units: int) -> ArmCounts:
    return _counts(counts.units + units, counts.error + units, counts.abandoned)


def _unsealed(sealed: Sealed) -> LostSecond:
    observation = sealed.observation
    return LostSecond(
        boot=observation.boot,
        second=observation.second,
        generations=observation.generations,
        unfinished=any(sealed.hanging),
    )
