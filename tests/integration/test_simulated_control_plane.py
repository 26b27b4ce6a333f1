"""The simulator's control plane is the real one without a database: the same seconds give both the same evidence."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from controlplane.domain.analysis.state import AnalysisState
from controlplane.simulation.control import ControlPlane
from controlplane.store.database import Database
from controlplane.store.serving_tables import GatewayBootRow, RolloutRow
from schemas.rollouts import CanaryPolicy
from schemas.serving import LostUnits, Observation
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import CANARY, InProcess

POLICY: dict[str, Any] = {
    **CANARY,
    "step_seconds": 3,
    "tick_seconds": 2,
    "step_units": 10,
    "metrics": [{"name": "error", "margin": 0.001}],
}
"""So few units prove nothing against that margin."""


class Both:
    """Every second is posted to the API, and told to the simulator."""

    def __init__(self, site: InProcess) -> None:
        self.site, self.now = site, 0
        site.deploy(canary=POLICY)
        site.first_champion()
        self.gateways = [Gateway(site, "gateway-1")]
        self.rollout = UUID(site.canary(self.gateways[0])["id"])
        self.gateways.append(Gateway(site, "gateway-2", first_second=self.gateways[0].second))
        self.before = self.gateways[0].generation().generation - 1
        self.model = ControlPlane(CanaryPolicy.model_validate(POLICY), fold_seconds=1)
        for gateway in self.gateways:
            self.model.register(gateway.boot, gateway.second, self.now)

    def observe(self, gateway: Gateway, units: int, **how: Any) -> int:
        """One second more; the answer's status."""
        seen = gateway.seen(units, **how)
        answer = gateway.send(gateway.second, [seen])
        told = {"boot": gateway.boot, "second": gateway.second, "generations": [self.renumbered(seen)]}
        lease = self.model.observe(Observation.model_validate(told), self.now)
        gateway.second += 1
        assert lease == (answer.json()["lease_seconds"] if answer.status_code == 200 else 0.0)
        return int(answer.status_code)

    def renumbered(self, seen: dict[str, Any]) -> dict[str, Any]:
        return {**seen, "generation": seen["generation"] - self.before}

    def turn(self, seconds: int = 1) -> None:
        """Both fold, and must agree."""
        self.now += seconds
        if seconds > 1:
            self.site.pass_time(seconds)
        self.site.turn()
        self.model.turn(self.now)
        assert self.product_state() == self.model_state()

    def product_state(self) -> dict[str, Any]:
        with self.site.database.read() as session:
            row = session.get(RolloutRow, self.rollout)
            assert row is not None
            return evidence(AnalysisState.model_validate(row.analysis), self.before)

    def model_state(self) -> dict[str, Any]:
        return evidence(self.model.state, 0)

    def late_units(self) -> int:
        with self.site.database.read() as session:
            rows = [session.get(GatewayBootRow, gateway.boot) for gateway in self.gateways]
            return sum(row.late_units for row in rows if row is not None)


def evidence(state: AnalysisState, before: int) -> dict[str, Any]:
    """All of it but for the start's wall clock and labels, of which there are none."""

    def renumbered(entries: Sequence[Any]) -> list[Any]:
        return [entry._replace(generation=entry.generation - before) for entry in entries]

    metrics = [
        {**metric.model_dump(exclude={"closed"}), "closed": renumbered(metric.closed)} for metric in state.metrics
    ]
    parts = ("horizon", "steps", "sample_ratio_peak", "unfolded", "dropped", "lost_boots", "verdict")
    kept = state.model_dump(include=set(parts))
    return {
        **kept,
        "metrics": metrics,
        "generations": renumbered(state.generations),
        "open": renumbered(state.open),
        "sample_ratio_at_peak": renumbered(state.sample_ratio_at_peak),
    }


@pytest.fixture
def both(database: Database) -> Both:
    return Both(InProcess(database))


def test_the_same_seconds_give_the_same_evidence_steps_leases_and_refusals(both: Both) -> None:
    first, second = both.gateways
    for _ in range(6):
        assert both.observe(first, 60, canary_errors=0.05) == 200
        assert both.observe(second, 40, stable_errors=0.05) == 200
        both.turn()
    assert len(both.model.state.generations) == 2, "the ladder was not climbed"
    assert both.model.state.metrics[0].closed
    for _ in range(3):  # the second one is silent: the fold waits for it
        both.observe(first, 60)
        both.turn()
    both.turn(16)
    both.observe(first, 60)
    both.turn()
    assert both.observe(second, 40) == 409
    assert both.model.late_units == both.late_units() > 0


def test_units_that_were_lost_with_their_gateways_are_the_same_errors_and_the_same_verdict(both: Both) -> None:
    first, second = both.gateways
    for life in range(2):
        for _ in range(2):
            both.observe(first, 60)
            both.observe(second, 40)
            both.turn()
        seen = second.seen(2, canary_share=0.5) | {
            "canary": {"units": 1, "error": 1},
            "stable": {"units": 1, "error": 1},
        }
        over = second.restart()
        both.model.register(second.boot, second.second, both.now)
        assert second.send_lost(over, [(second.second, seen)]).status_code == 204
        told = {"boot": over, "second": second.second, "generations": [both.renumbered(seen)]}
        both.model.lose(LostUnits.model_validate({"boot": over, "seconds": [told]}))
        both.observe(first, 60)
        both.observe(second, 40)
        both.turn()
        assert len(both.model.state.lost_boots) == life + 1
    assert both.model.end is not None
    assert (both.model.end.verdict, both.model.end.rule) == ("INVALID", "lost_boots")
    assert both.site.rollout(str(both.rollout))["verdict"] == "INVALID"
