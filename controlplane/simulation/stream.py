"""What a metrics system shows of an imagined canary: sums over a window, and nothing while nothing is scraped."""

from typing import Final, NamedTuple

from controlplane.domain.analysis.eprocess import Counts
from controlplane.simulation.fates import ArmSecond
from controlplane.simulation.scenario import Scenario
from controlplane.simulation.world import World

PACE: Final = 5
"""Seconds; intervals, windows and ticks are multiples of it."""


class Window(NamedTuple):
    """Every metric over some seconds: units and events of either arm."""

    error: Counts
    wrong: Counts
    """Labelled answers, and wrong ones among them, under the second of the answer."""
    abandoned: Counts = Counts()
    """Nothing where the policy has no such metric."""

    def plus(self, other: "Window") -> "Window":
        return Window(*(mine.plus(theirs) for mine, theirs in zip(self, other, strict=True)))

    def minus(self, other: "Window") -> "Window":
        return Window(*(_minus(mine, theirs) for mine, theirs in zip(self, other, strict=True)))


class Stream:
    """One series for the whole fleet; a second that nobody scraped is missing for good."""

    def __init__(self, scenario: Scenario, world: World) -> None:
        self._scenario, self._world = scenario, world
        self._sums, self._scraped = [NOTHING], [0]
        self.canary_units = 0

    def serve(self, at: int, weight: float) -> None:
        """`PACE` seconds at once: rates and outages hold for as long."""
        stable, canary = self._met(at, min(weight * self._scenario.true_weight, 1.0))
        self.canary_units += canary.units
        seen = not any(one.gateway is None and one.start <= at < one.stop for one in self._scenario.outages)
        self._sums.append(self._sums[-1].plus(self._window(stable, canary)) if seen else self._sums[-1])
        self._scraped.append(self._scraped[-1] + seen)

    def _met(self, at: int, weight: float) -> tuple[ArmSecond, ArmSecond]:
        if not self._scenario.stall_every:
            return self._world.second(at, weight, PACE)
        seconds = [self._world.second(at + one, weight, 1.0) for one in range(PACE)]  # a stall is shorter
        stable, canary = (
            ArmSecond(*(sum(fate) for fate in zip(*arm, strict=True))) for arm in zip(*seconds, strict=True)
        )
        return stable, canary

    def last(self, seconds: int) -> Window | None:
        """None when nothing was scraped in all that time."""
        since = max(0, len(self._sums) - 1 - seconds // PACE)
        if self._scraped[-1] == self._scraped[since]:
            return None
        return self._sums[-1].minus(self._sums[since])

    def all(self) -> Window:
        return self._sums[-1]

    def _window(self, stable: ArmSecond, canary: ArmSecond) -> Window:
        abandoned = Counts(stable.units, stable.abandoned, canary.units, canary.abandoned)
        return Window(
            error=Counts(stable.units, stable.errors, canary.units, canary.errors),
            wrong=Counts(stable.right + stable.wrong, stable.wrong, canary.right + canary.wrong, canary.wrong),
            abandoned=abandoned if self._world.compares_abandoned else Counts(),
        )


NOTHING: Final = Window(Counts(), Counts())


def _minus(now: Counts, then: Counts) -> Counts:
    return Counts(*(one - other for one, other in zip(now, then, strict=True)))
