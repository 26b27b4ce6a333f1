"""The simulator's gateway tells of a second what the real ledger and journal tell of the same units."""

from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest

from controlplane.simulation.control import ControlPlane
from controlplane.simulation.fates import ArmSecond
from controlplane.simulation.gateway import Gateway
from controlplane.simulation.scenario import Scenario
from controlplane.simulation.world import World
from schemas.rollouts import CanaryPolicy
from schemas.serving import GenerationSecond, LostUnits, Observation, UnitEnd
from workers.serve.counting.clock import BootClock
from workers.serve.counting.journal import Journal
from workers.serve.counting.ledger import Ledger
from workers.serve.counting.remains import read_remains
from workers.serve.counting.second import Arrival

BOOT = UUID(int=1)
POLICY = CanaryPolicy(deadline_seconds=5)
PLAIN = Scenario(name="planted", description="", kind="other")


class PlantedWorld(World):
    """The same units in every second."""

    def __init__(self, stable: ArmSecond, canary: ArmSecond) -> None:
        super().__init__(PLAIN, POLICY, 1)
        self._arms_of_a_second = (stable, canary)

    def second(self, at: int, weight: float, share: float) -> tuple[ArmSecond, ArmSecond]:
        return self._arms_of_a_second if share == 1 else (ArmSecond(), ArmSecond())


@dataclass
class HeardControlPlane(ControlPlane):
    """Keeps when it heard what."""

    heard: list[tuple[int, Observation]] = field(default_factory=list)
    lost: list[LostUnits] = field(default_factory=list)

    def observe(self, observation: Observation, now: int) -> float:
        self.heard.append((now, observation))
        return super().observe(observation, now)

    def lose(self, lost: LostUnits) -> None:
        self.lost.append(lost)
        super().lose(lost)


def simulated(stable: ArmSecond, canary: ArmSecond, seconds: int, death: int | None = None) -> HeardControlPlane:
    control = HeardControlPlane(POLICY, fold_seconds=1)
    deaths = () if death is None else ((0, death),)
    scenario = Scenario(name="planted", description="", kind="other", deaths=deaths)
    gateway = Gateway(0, scenario, PlantedWorld(stable, canary), control)
    for at in range(seconds):
        if gateway.alive(at):
            gateway.serve(at, 1)
        gateway.reboot(at + 1)
        if gateway.alive(at + 1):
            gateway.send(at + 1)
    return control


class RealGateway:
    """The product's clock, journal and ledger, on a hand-moved time."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.clock = BootClock(lambda: self.now, lambda: self.now)
        self.path = folder / "boot.journal"
        self.journal = Journal(self.path, BOOT)
        self.ledger = Ledger(BOOT, self.clock, self.journal)

    def second(self, stable: ArmSecond, canary: ArmSecond, weight: float) -> None:
        self.now += 0.9  # late in it: until the deadline of such a unit the second is not told
        for arm, seen in (("stable", stable), ("canary", canary)):
            for number in range(seen.units):
                arrival = Arrival(self.clock.second(), 1, weight, arm)  # type: ignore[arg-type]
                unit = self.ledger.begin(arrival, self.clock.now() + POLICY.deadline_seconds)
                if number >= seen.hanging:
                    self.ledger.end(unit, end_of(number, seen))


def end_of(number: int, seen: ArmSecond) -> UnitEnd:
    """Errors come first, then those whose callers hung up."""
    if number < seen.errors:
        return "error"
    return "abandoned" if number < seen.errors + seen.abandoned else "ok"


def cell(observation: Observation) -> GenerationSecond:
    (only,) = observation.generations
    return only


@pytest.mark.parametrize("hanging", [0, 2])
def test_a_second_is_told_when_and_as_the_ledger_tells_it(tmp_path: Path, hanging: int) -> None:
    stable = ArmSecond(unlabelled=38, failed=3, abandoned=2)
    canary = ArmSecond(unlabelled=3, failed=1, hanging=hanging, abandoned=1)
    heard = simulated(stable, canary, seconds=12).heard
    real = RealGateway(tmp_path)
    told: list[tuple[int, Observation]] = []
    for at in range(12):
        real.second(stable, canary, cell(heard[at][1]).applied_weight if at < len(heard) else 0.05)
        real.now = at + 1.0
        told += [(at + 1, observation) for observation in real.ledger.seal(1, 0.0)]
    real.journal.close()
    assert [(now, cell(seen)) for now, seen in heard] == [(now, cell(seen)) for now, seen in told]


@pytest.mark.parametrize("hanging", [0, 2])
def test_what_was_under_way_when_a_gateway_died_is_told_as_its_journal_tells_it(tmp_path: Path, hanging: int) -> None:
    stable = ArmSecond(unlabelled=38, failed=2, abandoned=1)
    canary = ArmSecond(unlabelled=4, hanging=hanging)
    control = simulated(stable, canary, seconds=12, death=3)
    real = RealGateway(tmp_path)
    sealed: list[Observation] = []
    for at in range(4):
        real.second(stable, canary, 0.0 if hanging else [0.0, 0.05, 0.05, 0.05][at])
        if at < 3:
            real.now = at + 1.0
            for told in real.ledger.seal(1, 0.0):
                real.journal.seal(told.second, told.model_dump_json())
                sealed.append(told)
    real.journal.close()
    expected = read_remains(real.path)
    assert expected is not None
    told_before = [seen for _, seen in control.heard if seen.boot == BOOT]
    assert [cell(one) for one in told_before] == [cell(one) for one in sealed]
    (lost,) = control.lost
    *before, died = expected.lost
    assert list(lost.seconds[:-1]) == before
    assert cell(lost.seconds[-1]) == cell(died)
    assert (lost.seconds[-1].second, lost.seconds[-1].unfinished) == (died.second, True)
    assert lost.boot == BOOT
