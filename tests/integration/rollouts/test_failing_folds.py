"""A fold that fails is a state of its rollout: people see it, the canary loses its weight, and it ends by itself."""

from uuid import UUID

import pytest
from sqlmodel import col, update

from controlplane.store.serving_tables import RolloutRow
from tests.support.answers import ok
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import InProcess


def break_analysis(site: InProcess, rollout_id: str) -> dict[str, object]:
    """As a defect would: what the state holds cannot be read any more."""
    with site.database.begin("a test") as uow:
        row = uow.session.get(RolloutRow, UUID(rollout_id))
        assert row is not None
        assert row.analysis is not None
        whole = dict(row.analysis)
        put_analysis(uow, rollout_id, {**whole, "horizon": "soon"})
    return whole


def put_analysis(uow, rollout_id: str, analysis: dict[str, object]) -> None:  # type: ignore[no-untyped-def]
    uow.execute(update(RolloutRow).where(col(RolloutRow.id) == UUID(rollout_id)).values(analysis=analysis))


def turn(site: InProcess) -> None:
    with pytest.raises(ExceptionGroup):
        site.turn()


def test_a_fold_that_fails_is_seen_retried_more_rarely_and_cleared(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    gateway.observe(40)
    whole = break_analysis(site, rollout["id"])
    turn(site)
    site.turn()  # it rests
    told = site.rollout(rollout["id"])
    assert (told["fold_error"], told["fold_failures"]) == ("ValidationError", 1)
    assert "cannot be folded: ValidationError, 1 times in a row" in told["analysis"][0]
    metrics = site.client("viewer").get("/metrics").text
    assert f'graftwork_rollout_fold_failures{{rollout="{rollout["id"]}"}} 1.0' in metrics
    site.pass_time(3)
    turn(site)
    site.pass_time(3)
    site.turn()  # four seconds now
    assert site.rollout(rollout["id"])["fold_failures"] == 2
    with site.database.begin("a test") as uow:
        put_analysis(uow, rollout["id"], whole)
    site.pass_time(3)
    site.turn()
    told = site.rollout(rollout["id"])
    assert (told["fold_error"], told["fold_failures"]) == (None, 0)
    facts = ok(site.client("viewer").get("/v1/events", params={"after": 0, "limit": 1000}))["items"]
    reasons = [fact["data"]["reason"] for fact in facts if fact["type"] == "dev.graftwork.rollout.advanced.v1"]
    assert sum("cannot be folded (ValidationError)" in reason for reason in reasons) == 1
    assert sum("is folded again" in reason for reason in reasons) == 1


def test_a_canary_whose_fold_fails_gets_no_more_leases(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    gateway.observe(40)
    assert gateway.lease == 15.0
    break_analysis(site, rollout["id"])
    turn(site)
    site.pass_time(31)
    gateway.observe(40)
    assert gateway.lease == 0.0


def test_a_person_can_end_a_rollout_whose_fold_fails(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    gateway.observe(40)
    break_analysis(site, rollout["id"])
    turn(site)
    body = {"reason": "its evidence is broken"}
    ended = ok(site.client("operator").post(f"/v1/rollouts/{rollout['id']}:abort", json=body))
    assert ended["phase"] == "Aborted"
