"""What a gateway tells the control plane: every second in order, every unit once, and what it applied."""

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import httpx

from schemas.packed_claims import unpack
from schemas.serving import GenerationSecond
from tests.support.scripted_engine import HANG, ScriptedEngine
from tests.support.waiting import wait_for
from workers.serve.protocols.requests import MAX_ROWS
from workers.serve.rollout.draw import draw_arm


def seconds_of(site: Any, generation: int) -> list[GenerationSecond]:
    return [g for o in site.observed() for g in o.generations if g.generation == generation]


def units(site: Any, generation: int, arm: str) -> tuple[int, int]:
    counts = [getattr(second, arm) for second in seconds_of(site, generation)]
    return sum(c.units for c in counts), sum(c.error for c in counts)


def predict(client: httpx.Client, text: str = "one", **headers: str) -> httpx.Response:
    return client.post("/v1/predict", json={"text": text}, headers={k.replace("_", "-"): v for k, v in headers.items()})


def canary_answers(client: httpx.Client, weight: float = 1.0) -> None:
    """Until a canary of this weight is applied; weight 1 makes the first request tell."""
    wait_for(lambda: f"graftwork_gateway_applied_weight {weight}" in client.get("/metrics").text, "weight applied")


def test_seconds_come_in_order_without_gaps_from_the_boots_first(site: Any, client: httpx.Client) -> None:
    wait_for(lambda: len(site.observed()) >= 4, "four seconds")
    [boot] = site.control.boots
    seconds = [o.second for o in site.observed()]
    assert seconds == list(range(boot.first_second, boot.first_second + len(seconds)))
    assert {o.boot for o in site.observed()} == {boot.boot}
    assert (boot.gateway, boot.deployment) == ("gateway-1", "reviews")


def test_a_refused_second_is_lost_and_the_next_ones_go_on(site: Any) -> None:
    late: set[int] = set()

    def refuse(second: int) -> int:
        if not late:
            late.add(second)
        return 409 if second in late else 200

    site.control.refuse = refuse
    site.release(1)
    with site.gateway() as client:
        wait_for(lambda: len(site.observed()) >= 2, "later seconds")
        assert "graftwork_gateway_lost_seconds_total 1.0" in client.get("/metrics").text
    assert site.observed()[0].second == late.pop() + 1


def test_a_second_that_is_not_taken_is_sent_again(site: Any) -> None:
    refused: list[int] = []

    def refuse(second: int) -> int:
        refused.append(second)
        return 503 if len(refused) < 3 else 200

    site.control.refuse = refuse
    site.release(1)
    with site.gateway():
        wait_for(lambda: len(site.observed()) >= 2, "accepted seconds")
    assert refused[:3] == [refused[0]] * 3
    assert site.observed()[0].second == refused[0]


def test_a_request_of_two_rows_is_one_unit(site: Any, client: httpx.Client) -> None:
    client.post("/v1/predict", json={"texts": ["one", "two"]})
    predict(client)
    wait_for(lambda: units(site, 1, "stable")[0] >= 2, "two units")
    assert units(site, 1, "stable") == (2, 0)


def test_a_refused_request_is_no_unit_and_a_failed_one_is_an_error(site: Any, client: httpx.Client) -> None:
    client.post("/v1/predict", json={"nonsense": 1})
    assert predict(client, "please raise").status_code == 500
    wait_for(lambda: units(site, 1, "stable")[0] >= 1, "the unit")
    assert units(site, 1, "stable") == (1, 1)


def test_a_unit_past_its_deadline_is_an_error_of_its_arm(site: Any) -> None:
    site.release(1, deadline_seconds=0.3)
    with site.gateway() as client:
        wait_for(lambda: client.get("/readyz").status_code == 200, "ready")
        answer = predict(client, HANG)
        assert answer.status_code == 504
        assert answer.headers["x-variant"] == "stable"
        wait_for(lambda: units(site, 1, "stable")[0] >= 1, "the unit")
        assert units(site, 1, "stable") == (1, 1)


def test_a_canary_that_hangs_leaves_stable_alone(site: Any, client: httpx.Client) -> None:
    site.roll_out(2, weight=1.0, deadline_seconds=0.3)
    canary_answers(client)
    hung = predict(client, HANG)
    assert (hung.status_code, hung.headers["x-variant"]) == (504, "canary")
    site.release(3)
    wait_for(lambda: predict(client).headers["x-variant"] == "stable", "stable again", seconds=10)
    wait_for(lambda: units(site, 3, "stable")[0], "its units")
    assert units(site, 3, "stable")[1] == 0
    hung_units, errors = units(site, 2, "canary")
    assert hung_units == errors >= 1


def test_what_cannot_be_done_in_time_is_refused_and_is_a_unit_of_no_arm(site: Any, client: httpx.Client) -> None:
    """A row takes a fifth of a second here: one is answered, and twenty would need twice the deadline."""
    slow = site.version(7, favours=0, seconds_per_row=0.2)
    site.release(2, stable=slow, deadline_seconds=2.0)
    wait_for(lambda: predict(client).headers.get("x-model-version") == "movies/7", "the slow version answers")
    refused = client.post("/v1/predict", json={"texts": ["one"] * 20})
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (503, "too-large-for-deadline")
    assert int(refused.headers["retry-after"]) >= 1
    assert "x-variant" not in refused.headers
    assert predict(client).status_code == 200
    page = client.get("/metrics").text
    assert 'graftwork_gateway_refused_total{reason="too-large"} 1.0' in page
    wait_for(lambda: units(site, 2, "stable")[0] >= 2, "the units that were answered")
    answered = page.split('requests_total{outcome="ok",variant="stable",version="movies/7"} ')[1].split()[0]
    assert units(site, 2, "stable") == (int(float(answered)), 0)


def test_a_large_request_holds_up_no_small_one_and_is_answered(site: Any, client: httpx.Client) -> None:
    slow = site.version(8, favours=0, seconds_per_row=0.05)
    site.release(2, stable=slow, deadline_seconds=60.0)
    wait_for(lambda: predict(client).headers.get("x-model-version") == "movies/8", "the slow version answers")
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(client.post, "/v1/predict", json={"texts": ["one"] * MAX_ROWS})
        wait_for(lambda: _batches(client) >= 3, "the large request is under way")
        small = [predict(client).status_code for _ in range(5)]
        assert not large.done()
        assert (small, large.result().status_code) == ([200] * 5, 200)


def _batches(client: httpx.Client) -> float:
    line = next(one for one in client.get("/metrics").text.splitlines() if "batch_rows_count" in one)
    return float(line.split()[1])


def test_a_canary_gets_its_share_and_says_so(site: Any, client: httpx.Client) -> None:
    site.roll_out(2, weight=0.5)
    canary_answers(client, 0.5)
    answers = [predict(client) for _ in range(60)]
    arms = [a.headers["x-variant"] for a in answers]
    assert {"stable", "canary"} == set(arms)
    for answer in answers:
        canary = answer.headers["x-variant"] == "canary"
        assert answer.headers["x-model-version"] == ("movies/2" if canary else "movies/1")
        assert answer.json()["predictions"][0]["label"] == ("positive" if canary else "negative")
        assert answer.headers["x-rollout-id"] == str(UUID(int=99))
        assert draw_arm("step-0", answer.headers["x-request-id"], 0.5) == answer.headers["x-variant"]
    wait_for(lambda: sum(units(site, 2, arm)[0] for arm in ("stable", "canary")) >= 60, "all units")
    counted = [s for s in seconds_of(site, 2) if s.applied_weight == 0.5]
    assert sum(s.canary.units for s in counted) == arms.count("canary")
    assert sum(s.stable.units for s in counted) == arms.count("stable")


def test_no_weight_is_applied_before_the_canary_is_loaded(site: Any, client: httpx.Client) -> None:
    ScriptedEngine.loading.clear()
    try:
        site.roll_out(2, weight=1.0)
        wait_for(lambda: "graftwork_gateway_generation 2.0" in client.get("/metrics").text, "generation 2")
        wait_for(lambda: "graftwork_gateway_lease_seconds 1" in client.get("/metrics").text, "a lease")
        assert {predict(client).headers["x-variant"] for _ in range(5)} == {"stable"}
        assert site.canary.id not in site.control.reports[-1].loaded
    finally:
        ScriptedEngine.loading.set()
    canary_answers(client)
    assert predict(client).headers["x-variant"] == "canary"
    wait_for(lambda: site.canary.id in site.control.reports[-1].loaded, "reported as loaded")
    wait_for(lambda: site.control.reports[-1].applied_weight == 1.0, "reported as applied")
    assert {s.applied_weight for s in seconds_of(site, 2)} <= {0.0, 1.0}
    assert sum(s.canary.units for s in seconds_of(site, 2) if s.applied_weight == 0.0) == 0


def test_without_a_renewed_lease_everything_is_stable(site: Any, client: httpx.Client) -> None:
    site.control.lease_seconds = 3.0
    site.roll_out(2, weight=1.0)
    canary_answers(client)
    assert predict(client).headers["x-variant"] == "canary"
    site.control.lease_seconds = 0.0
    wait_for(lambda: predict(client).headers["x-variant"] == "stable", "the lease lapses", seconds=15)
    wait_for(lambda: seconds_of(site, 2)[-1].applied_weight == 0.0, "it says so")
    lapsed = predict(client).json()["predictions"][0]["prediction_id"]
    assert not unpack(_payload(lapsed)).n


def test_a_canary_that_does_not_load_gets_nothing(site: Any, client: httpx.Client) -> None:
    site.roll_out(2, weight=1.0, canary=site.version(5, favours=1, fault="load"))
    wait_for(lambda: "graftwork_gateway_generation 2.0" in client.get("/metrics").text, "generation 2")
    assert predict(client).headers["x-variant"] == "stable"


def test_a_session_is_sticky_and_counted_under_its_key(site: Any, client: httpx.Client) -> None:
    site.roll_out(2, weight=0.5, randomize="session")
    canary_answers(client, 0.5)
    arms = {
        key: {predict(client, x_session_key=key).headers["x-variant"] for _ in range(4)}
        for key in (f"user-{n}" for n in range(12))
    }
    assert all(len(seen) == 1 for seen in arms.values())
    assert {"stable"} in arms.values()
    assert {"canary"} in arms.values()

    def keys() -> set[str]:
        return {unit.key_hash for second in seconds_of(site, 2) for unit in second.sessions}

    wait_for(lambda: len(keys()) == 12, "twelve keys")
    assert units(site, 2, "stable")[0] == units(site, 2, "canary")[0] == 0
    predict(client)
    wait_for(lambda: units(site, 2, "stable")[0] + units(site, 2, "canary")[0] == 1, "the unkeyed unit")


def test_a_probe_is_answered_after_a_real_prediction(site: Any, client: httpx.Client) -> None:
    probe = UUID(int=50)
    site.release(2, probe=probe, probe_version=site.canary)
    wait_for(lambda: site.control.reports[-1].probed, "the probe")
    [answer] = site.control.reports[-1].probed
    assert (answer.probe, answer.version, answer.ok) == (probe, site.canary.id, True)


def test_a_version_of_the_wrong_width_fails_its_probe_with_the_reason(site: Any, client: httpx.Client) -> None:
    broken = site.version(6, favours=0, width=3)
    site.release(2, probe=UUID(int=51), probe_version=broken)
    wait_for(lambda: site.control.reports[-1].probed, "the probe")
    [answer] = site.control.reports[-1].probed
    assert not answer.ok
    assert "expected (1, 2)" in answer.detail
    assert broken.id not in site.control.reports[-1].loaded


def _payload(prediction_id: str) -> bytes:
    payload = prediction_id.partition(".")[0]
    return base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
