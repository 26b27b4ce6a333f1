"""Session mode through the API: a key counts once in a step, in observations and in labels."""

from typing import Any
from uuid import UUID

import pytest

from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.state import AnalysisState
from controlplane.store.database import Database
from controlplane.store.serving_tables import RolloutRow
from tests.support.answers import ok
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import CANARY, InProcess


@pytest.fixture
def site(database: Database) -> InProcess:
    site = InProcess(database)
    metrics = [{"name": "error", "margin": 0.1}, {"name": "wrong", "margin": 0.05}]
    site.deploy(
        canary={**CANARY, "randomize": "session", "step_seconds": 1000, "metrics": metrics, "label_wait_seconds": 20}
    )
    site.first_champion()
    return site


def state_of(site: InProcess) -> AnalysisState:
    with site.database.read() as session:
        row = session.get(RolloutRow, _rollout_id(site))
        assert row is not None
        return AnalysisState.model_validate(row.analysis)


def _rollout_id(site: InProcess) -> UUID:
    return UUID(ok(site.client("viewer").get("/v1/rollouts"))["items"][0]["id"])


def keyed(gateway: Gateway, keys: range, arm: str) -> dict[str, Any]:
    seen = gateway.seen(0)
    seen["sessions"] = [{"key_hash": f"{key:032x}", "arm": arm, "end": "ok"} for key in keys]
    return seen


def test_a_key_counts_once_in_a_step_however_many_gateways_saw_it(site: InProcess) -> None:
    gateway = Gateway(site)
    other = Gateway(site, "gateway-2", first_second=gateway.second)
    other.second = gateway.second
    site.canary(gateway, other)
    assert gateway.generation().randomize == "session"
    for one in (gateway, other):
        seen = keyed(one, range(100, 190), "stable")
        seen["sessions"] += keyed(one, range(10), "canary")["sessions"]
        ok(one.send(one.second, [seen]))
        ok(one.send(one.second + 1, [seen]))
    site.turn()
    units = state_of(site).generations[0]
    assert (units.stable_units, units.canary_units) == (90, 10)


def test_a_keys_label_is_the_one_of_its_first_exposure(site: InProcess) -> None:
    gateway = Gateway(site)
    site.canary(gateway)
    key = f"{7:032x}"
    for _ in range(2):
        ok(gateway.send(gateway.second, [keyed(gateway, range(7, 8), "canary")]))
        gateway.second += 1
    at_first, later = gateway.second - 2, gateway.second - 1
    repeated = gateway.prediction("canary", "positive", unit=key, keyed=True, second=later)
    first = gateway.prediction("canary", "positive", unit=key, keyed=True, second=at_first)
    again = gateway.prediction("canary", "negative", unit=key, keyed=True, second=at_first, row=3)
    assert ok(gateway.feedback(repeated, "negative")) == {"counted": True}
    assert ok(gateway.feedback(first, "positive")) == {"counted": True}
    assert ok(gateway.feedback(again, "positive")) == {"counted": False}
    for _ in range(24):
        seen = keyed(gateway, range(100 + gateway.second % 24, 101 + gateway.second % 24), "stable")
        ok(gateway.send(gateway.second, [seen]))
        gateway.second += 1
    site.turn()
    wrong = next(metric for metric in state_of(site).metrics if metric.name == "wrong")
    assert wrong.in_step(0) == Counts(0, 0, 1, 0)
