"""Failures that come together: lanes that stall, and errors in groups."""

from typing import Final

from controlplane.simulation.draws import Draws
from controlplane.simulation.fates import ArmSecond
from controlplane.simulation.scenario import Scenario
from schemas.serving import Arm

ARMS: Final[tuple[Arm, Arm]] = ("stable", "canary")


class Lanes:
    """Each arm has a lane; what befalls it befalls everything that waits in it."""

    def __init__(self, scenario: Scenario, draws: Draws) -> None:
        self._scenario, self._draws = scenario, draws
        self._stalled: dict[Arm, float] = dict.fromkeys(ARMS, 0.0)
        self._failing: dict[Arm, int] = dict.fromkeys(ARMS, 0)
        self._stalled_now: set[Arm] = set()
        self.matter = scenario.stall_every > 0 or scenario.group > 1

    def second(self, stable: ArmSecond, canary: ArmSecond) -> tuple[ArmSecond, ArmSecond]:
        """The arms' units of one second, as they fare in their lanes."""
        return self._fare("stable", stable), self._fare("canary", canary)

    def begin_second(self, units: int, weight: float) -> None:
        """For units that are drawn one by one: so many come, and the canary gets its share."""
        met = {"stable": round(units * (1 - weight)), "canary": round(units * weight)}
        self._stalled_now = {arm for arm in ARMS if self._passes(arm, met[arm])}

    def fails(self, arm: Arm, rate: float) -> bool:
        """One unit by itself."""
        if arm in self._stalled_now:
            return True
        if self._failing[arm]:
            self._failing[arm] -= 1
            return True
        failed = self._draws.uniform() < rate / self._scenario.group
        self._failing[arm] = self._scenario.group - 1 if failed else 0
        return failed

    def _fare(self, arm: Arm, seen: ArmSecond) -> ArmSecond:
        if self._passes(arm, seen.units):
            return ArmSecond(failed=seen.units)
        if self._scenario.group == 1:
            return seen
        failed = sum(self._draws.uniform() < 1 / self._scenario.group for _ in range(seen.failed))
        return seen._replace(failed=failed * self._scenario.group)

    def _passes(self, arm: Arm, units: int) -> bool:
        """Whether this second is one of a stall; a new one begins with the next."""
        stalled = self._stalled[arm] > 0
        self._stalled[arm] = max(0.0, self._stalled[arm] - 1)
        every = self._scenario.stall_every
        if every and not stalled and self._draws.uniform() > (1 - 1 / every) ** units:
            self._stalled[arm] = self._scenario.stall_seconds
        return stalled
