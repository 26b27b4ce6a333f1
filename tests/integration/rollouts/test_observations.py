"""What gateways and users tell: seconds, boots, clocks, lost units and labels."""

import time
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from controlplane.store.serving_tables import LabelRow, ObservationRow, RolloutRow
from tests.support.answers import ok
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import InProcess

UNDER_WAY = 30
"""Seconds: what a registration takes to arrive is part of the correction, and machines are busy."""


def test_a_late_second_gets_409_and_is_recorded(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    gateway.observe(50)
    gateway.observe(50)
    site.turn()
    late = Gateway(site, "gateway-2", first_second=gateway.second - 2)
    refused = late.send(gateway.second - 2, [late.seen(30)])
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert late.send(gateway.second - 2, [late.seen(30)]).status_code == 409
    assert recorded_late(site, "gateway-2") == (1, 30)
    assert late.send(gateway.second - 1, [late.seen(12)]).status_code == 409
    assert recorded_late(site, "gateway-2") == (2, 42)
    late.second = gateway.second
    late.observe(10)


def recorded_late(site: InProcess, gateway: str) -> tuple[int, int]:
    listed = ok(site.client("viewer").get("/v1/deployments/reviews/gateways"))
    recorded = next(item for item in listed if item["gateway"] == gateway)
    return recorded["late_seconds"], recorded["late_units"]


def test_the_last_second_that_was_folded_is_late_and_the_next_one_is_not(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    for _ in range(3):
        gateway.observe(20)
    site.turn()
    horizon = folded_to(site, rollout)
    other = Gateway(site, "gateway-2", first_second=horizon)
    assert other.send(horizon, [other.seen(20)]).status_code == 409
    assert ok(other.send(horizon + 1, [other.seen(20)]))["watermark"] == horizon + 1


def folded_to(site: InProcess, rollout: dict[str, Any]) -> int:
    with site.database.read() as session:
        row = session.get(RolloutRow, UUID(rollout["id"]))
        assert row is not None
        return row.horizon


def test_a_repeated_second_changes_nothing(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    seen = gateway.seen(100)
    first = ok(gateway.send(gateway.second, [seen]))
    assert first["lease_seconds"] == 15.0
    assert ok(gateway.send(gateway.second, [seen])) == first
    site.turn()
    assert ok(gateway.send(gateway.second, [seen])) == first
    with site.database.read() as session:
        assert len(session.exec(select(ObservationRow)).all()) == 1


def test_the_lease_is_renewed_only_while_somebody_folds(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    gateway.observe(10)
    assert gateway.lease == 0.0
    site.canary(gateway)
    gateway.observe(10)
    assert gateway.lease == 15.0
    site.pass_time(40)
    gateway.observe(10)
    assert gateway.lease == 0.0
    site.turn()
    gateway.observe(10)
    assert gateway.lease == 15.0


def test_a_gateway_that_serves_another_generation_gets_no_lease_for_the_canary(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    before = gateway.seen(10)
    site.canary(gateway)
    assert ok(gateway.send(gateway.second, [before]))["lease_seconds"] == 0.0
    assert ok(gateway.send(gateway.second + 1, [before, gateway.seen(10)]))["lease_seconds"] == 15.0
    assert ok(gateway.send(gateway.second + 2, []))["lease_seconds"] == 0.0


def kept_of(site: InProcess, boot: UUID) -> list[tuple[int, bool, int]]:
    """Second, lost, and canary units."""
    with site.database.read() as session:
        rows = session.exec(select(ObservationRow).where(ObservationRow.boot == boot)).all()
        seen = [(row.second, row.lost, sum(one["canary"]["units"] for one in row.generations)) for row in rows]
    return sorted(seen)


def test_a_second_that_its_boot_has_told_is_not_told_again_by_the_next_one(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    gateway.observe(10)
    told = gateway.second - 1
    lost = gateway.seen(2, canary_errors=1.0, canary_share=1.0)
    over = UUID(str(gateway.restart()))
    assert gateway.send_lost(over, [(told, lost), (told + 2, lost)]).status_code == 204
    assert [(second, is_lost) for second, is_lost, _ in kept_of(site, over)] == [(told, False), (told + 2, True)]


def test_what_a_dead_boot_left_comes_behind_the_horizon_and_says_whether_it_never_ended(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    dead = Gateway(site, "gateway-2", first_second=gateway.second)
    dead.observe(10)
    since = dead.second
    for _ in range(4):
        gateway.observe(10)
    site.pass_time(40)
    gateway.observe(10)
    site.turn()
    horizon = folded_to(site, rollout)
    assert horizon >= since
    seen = dead.seen(2, canary_share=1.0)
    over = UUID(str(dead.restart()))
    left = [(since, seen, False), (since + 1, seen, False), (horizon + 5, seen, True), (horizon + 6, seen, False)]
    assert dead.send_left(over, left).status_code == 204
    assert dead.send_left(over, left).status_code == 204, "a repeat changes nothing"
    assert kept_of(site, over)[1:] == [
        (horizon + 1, False, 4),
        (horizon + 5, True, 2),
        (horizon + 6, False, 2),
    ]


def test_parts_are_taken_in_their_turn_and_each_once(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    gateway.observe(10)
    since = gateway.second
    seen = gateway.seen(2, canary_share=1.0)
    over = UUID(str(gateway.restart()))
    for parts in range(3):  # the one who tells is killed and begins again
        for second in range(parts + 1):
            assert gateway.send_left(over, [(since + second, seen, second == 1)], more=True).status_code == 204
    assert kept_of(site, over)[1:] == [(since, False, 2), (since + 1, True, 2), (since + 2, False, 2)]
    assert gateway.send_left(over, []).status_code == 204
    assert gateway.send_left(over, [(since + 3, seen, True)]).status_code == 204
    assert len(kept_of(site, over)) == 4, "nothing more comes of it: that was said"


def test_seconds_of_another_boot_or_twice_are_refused(site: InProcess) -> None:
    gateway = Gateway(site)
    seen, since = (
        {"generation": 1, "applied_weight": 0.0, "stable": {"units": 1}, "canary": {"units": 0}},
        gateway.second,
    )
    refused = gateway.send_left(gateway.boot, [(since, seen, True), (since, seen, True)])
    assert (refused.status_code, refused.json()["detail"].count("expected each once, in order")) == (422, 1)
    second = {"boot": str(UUID(int=7)), "second": since, "generations": [seen]}
    body = {"boot": str(gateway.boot), "seconds": [second]}
    refused = site.client("gateway").post("/v1/gateway/lost-units", json=body)
    assert (refused.status_code, f"expected those of boot {gateway.boot}" in refused.json()["detail"]) == (422, True)


def test_a_boot_that_is_not_registered_is_told_so(site: InProcess) -> None:
    gateway = Gateway(site)
    gateway.boot = UUID(int=1)
    assert gateway.send(gateway.second, []).status_code == 404


def test_a_clock_that_is_far_off_moves_no_fold(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    now = int(time.time())
    ahead = gateway.send(now + 1_000_000, [gateway.seen(10)])
    assert (ahead.status_code, ahead.json()["field"]) == (422, "second")
    assert "set the gateway's clock" in ahead.json()["detail"]
    behind = Gateway(site, "gateway-2", first_second=1000)
    assert behind.send(1000, [behind.seen(10)]).status_code == 409
    body = {"boot": str(UUID(int=5)), "gateway": "g", "deployment": "reviews"}
    body |= {"first_second": now + 1_000_000, "sent_second": now}
    assert site.client("gateway").post("/v1/gateway/boots", json=body).status_code == 422


@pytest.mark.parametrize("clock_behind", [3 * 3600, -3 * 3600], ids=["hours behind", "hours ahead"])
def test_a_wrong_clock_is_corrected_when_its_boot_registers(site: InProcess, clock_behind: int) -> None:
    site.first_champion()
    right = Gateway(site)
    rollout = site.canary(right)
    wrong = Gateway(site, "gateway-2", first_second=right.second, clock_behind=clock_behind)
    for _ in range(3):
        right.observe(50)
        answer = ok(wrong.send(wrong.second, [wrong.seen(50)]))
        assert answer["watermark"] == wrong.second
        wrong.second += 1
    site.turn()
    assert right.second - 1 - UNDER_WAY <= folded_to(site, rollout) <= right.second - 1
    with site.database.read() as session:
        observed = sorted(session.exec(select(ObservationRow.second).where(ObservationRow.boot == wrong.boot)))
    assert observed == [observed[0], observed[0] + 1, observed[0] + 2]
    assert abs(observed[0] - (right.second - 3)) <= UNDER_WAY


@pytest.mark.parametrize("clock_behind", [3 * 3600, -3 * 3600], ids=["hours behind", "hours ahead"])
def test_a_wrong_clock_is_corrected_for_labels_too(site: InProcess, clock_behind: int) -> None:
    """The label of an answer lies in the second that the unit was observed in, not hours from it."""
    site.first_champion()
    gateway = Gateway(site, clock_behind=clock_behind)
    site.canary(gateway)
    gateway.observe(10)
    assert gateway.feedback(gateway.prediction("canary", "positive"), "positive").status_code == 200
    with site.database.read() as session:
        label, observed = session.exec(select(LabelRow)).one(), session.exec(select(ObservationRow)).one()
    assert label.second == observed.second
    assert observed.second <= label.stored_second <= observed.second + UNDER_WAY


def test_a_wrong_clock_is_corrected_for_lost_units_too(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site, clock_behind=3 * 3600)
    site.canary(gateway)
    gateway.observe(10)
    over = gateway.restart()
    lost = {"boot": str(over), "seconds": [{"boot": str(over), "second": gateway.second, "generations": []}]}
    assert site.client("gateway").post("/v1/gateway/lost-units", json=lost).status_code == 204
    with site.database.read() as session:
        row = session.exec(select(ObservationRow).where(ObservationRow.lost)).one()
    assert abs(row.second - (gateway.second + 3 * 3600)) <= UNDER_WAY


@pytest.mark.parametrize(
    "wrong",
    [{"generation": 2**40}, {"generation": -1}, {"stable": {"units": 2**70}}, {"stable": {"units": 1, "error": 2}}],
    ids=["huge generation", "negative generation", "huge count", "more errors than units"],
)
def test_numbers_that_cannot_be_are_refused(site: InProcess, wrong: dict[str, Any]) -> None:
    gateway = Gateway(site)
    assert gateway.send(gateway.second, [{**gateway.seen(10), **wrong}]).status_code == 422


def test_feedback_twice_gets_the_same_answer_and_counts_once(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    prediction = gateway.prediction("canary", "positive", unit="u")
    assert ok(gateway.feedback(prediction, "positive")) == {"counted": True}
    assert ok(gateway.feedback(prediction, "positive")) == {"counted": True}
    other = gateway.feedback(prediction, "negative")
    assert other.status_code == 409
    second_row = gateway.prediction("canary", "positive", unit="u", row=1)
    assert ok(gateway.feedback(second_row, "negative")) == {"counted": False}


def test_feedback_with_a_strange_label_or_a_forged_id_is_refused(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    prediction = gateway.prediction("canary", "positive")
    strange = gateway.feedback(prediction, "Positive")
    assert strange.status_code == 422
    assert "negative, positive" in strange.json()["detail"]
    forged = gateway.feedback(prediction[:-2] + "AA", "positive")
    assert forged.status_code == 422
    assert forged.json()["field"] == "prediction_id"
