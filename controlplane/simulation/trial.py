"""One imagined rollout, second by second, from its first canary weight to its end."""

from typing import NamedTuple

from controlplane.simulation.control import ControlPlane
from controlplane.simulation.gateway import Gateway
from controlplane.simulation.scenario import Result, Scenario
from controlplane.simulation.world import World
from schemas.rollouts import CanaryPolicy


class Outcome(NamedTuple):
    result: Result
    rule: str
    second: int
    canary_units: int
    """Counted ones."""
    canary_served: int
    """Counted or not."""
    canary_bad: float
    """Errors among the served, and wrong answers at their expected rate."""
    late_units: int
    interrupted: bool
    """It was INVALID for a while."""


class Trial:
    def __init__(self, policy: CanaryPolicy, scenario: Scenario, seed: int) -> None:
        adapted = scenario.adapt(policy)
        self._limited = adapted.model_copy(update={"max_seconds": min(adapted.max_seconds, scenario.seconds)})
        self._scenario = scenario
        self.control = ControlPlane(self._limited, scenario.fold_seconds)
        world = World(scenario, adapted, seed)
        self.gateways = [Gateway(number, scenario, world, self.control) for number in range(len(scenario.lags))]
        self._at = 0

    def run(self) -> Outcome:
        while self.control.end is None and not self._spent():
            self.second()
        return self._outcome()

    def second(self) -> None:
        at, self._at = self._at, self._at + 1
        alive = [gateway for gateway in self.gateways if gateway.alive(at)]
        for gateway in alive:
            gateway.serve(at, 1 / len(alive))
        for gateway in self.gateways:
            gateway.reboot(self._at)
            if gateway.alive(self._at):
                gateway.send(self._at)
        self.control.turn(self._at)

    def _spent(self) -> bool:
        units = self._scenario.stop_at_units
        # a provider that is silent at the end keeps the duration from being asked about
        over = self._at > self._limited.max_seconds + self._limited.provider_silence_seconds
        return over or bool(units and self._units() >= units)

    def _units(self) -> int:
        return sum(entry.canary_units for entry in self.control.state.generations)

    def _outcome(self) -> Outcome:
        end = self.control.end
        return Outcome(
            result=end.verdict if end else "UNDECIDED",
            rule=end.rule if end else "none",
            second=end.second if end else self._at,
            canary_units=self._units(),
            canary_served=sum(gateway.served.units for gateway in self.gateways),
            canary_bad=sum(gateway.served.bad for gateway in self.gateways),
            late_units=self.control.late_units,
            interrupted=self.control.invalid_once,
        )


def run(policy: CanaryPolicy, scenario: Scenario, seed: int) -> Outcome:
    return Trial(policy, scenario, seed).run()
