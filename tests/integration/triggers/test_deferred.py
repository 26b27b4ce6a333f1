"""A cooldown defers: at its end the trigger fires once, with the newest event and the names of those before it."""

from typing import Any

import pytest

from controlplane.duties.triggers import fire_due_triggers
from tests.support.triggers import evaluations, move_clock, outcomes, runs, send, trigger
from tests.support.worlds.in_process import InProcess


def tick(site: InProcess, times: int = 3) -> None:
    """As after restarts, and as two reconcilers one after the other."""
    for _ in range(times):
        fire_due_triggers(site.database, site.settings)


def newest_run(site: InProcess) -> dict[str, Any]:
    return max(runs(site), key=lambda run: str(run["event"]["id"]))


def test_what_comes_within_a_cooldown_fires_once_at_its_end_with_the_newest(site: InProcess) -> None:
    trigger(site, cooldown_seconds=60)
    assert outcomes(send(site, "1")) == ["fired"]
    for number in "234":
        assert outcomes(send(site, number)) == ["deferred"]
    tick(site)
    assert len(runs(site)) == 1
    move_clock(site, 61)
    tick(site)
    assert len(runs(site)) == 2
    run = newest_run(site)
    assert run["params"]["source"] == "file:///4.csv"
    assert run["event"]["deferred"] == {
        "count": 2,
        "events": [{"source": "shop", "id": number, "type": "batch.ready"} for number in "23"],
    }
    found = {one["event_id"]: one["outcome"] for one in evaluations(site)}
    assert found == {"1": "fired", "2": "superseded", "3": "superseded", "4": "fired"}


def test_an_event_after_the_cooldown_takes_along_what_waits(site: InProcess) -> None:
    """The reconciler was away: still one run, not two."""
    trigger(site, cooldown_seconds=60)
    send(site, "1"), send(site, "2")
    move_clock(site, 61)
    assert outcomes(send(site, "3")) == ["fired"]
    tick(site)
    assert len(runs(site)) == 2
    assert newest_run(site)["event"]["deferred"]["events"] == [{"source": "shop", "id": "2", "type": "batch.ready"}]
    move_clock(site, 61)
    tick(site)
    assert outcomes(send(site, "4")) == ["fired"]
    assert newest_run(site)["event"]["deferred"] == {"count": 0, "events": []}


def test_a_deferred_event_may_be_sent_again_and_one_that_fired_may_not(site: InProcess) -> None:
    trigger(site, cooldown_seconds=60, dedupe_key="${event.data.uri}")
    send(site, "1")
    assert outcomes(send(site, "2", data={"uri": "file:///1.csv"})) == ["duplicate"]
    for number in "34":
        assert outcomes(send(site, number, data={"uri": "file:///new.csv"})) == ["deferred"]
    move_clock(site, 61)
    tick(site)
    assert len(runs(site)) == 2
    assert outcomes(send(site, "5", data={"uri": "file:///new.csv"})) == ["duplicate"]


def test_a_run_may_ask_how_many_waited(site: InProcess) -> None:
    trigger(site, cooldown_seconds=60, params={"source": "file:///${event.deferred.count}.csv"})
    for number in "1234":
        send(site, number)
    move_clock(site, 61)
    tick(site)
    assert sorted(run["params"]["source"] for run in runs(site)) == ["file:///0.csv", "file:///2.csv"]


def test_a_burst_that_ends_within_the_cooldown_waits_for_its_end(site: InProcess) -> None:
    trigger(site, cooldown_seconds=60)
    send(site, "1")
    trigger(site, cooldown_seconds=60, debounce_seconds=10, dedupe_key="${event.data.uri}")
    same = {"uri": "file:///same.csv"}
    assert outcomes(send(site, "2", data=same)) == ["debouncing"]
    move_clock(site, 11)
    tick(site)
    assert evaluations(site, event="2")[0]["outcome"] == "deferred"
    # The same key again: it waits for quiet anew, in the place of the one that waited for the cooldown.
    assert outcomes(send(site, "3", data=same)) == ["debouncing"]
    move_clock(site, 61)
    tick(site)
    assert len(runs(site)) == 2
    assert newest_run(site)["event"]["deferred"]["count"] == 1


@pytest.mark.parametrize(("change", "outcome"), [({"enabled": False}, "disabled"), ({"daily_budget": 1}, "budget")])
def test_what_was_deferred_asks_again_at_the_end(site: InProcess, change: dict[str, Any], outcome: str) -> None:
    trigger(site, cooldown_seconds=60)
    send(site, "1"), send(site, "2")
    trigger(site, cooldown_seconds=60, **change)
    move_clock(site, 61)
    tick(site)
    assert len(runs(site)) == 1
    assert evaluations(site, event="2")[0]["outcome"] == outcome


def test_a_longer_cooldown_defers_further(site: InProcess) -> None:
    trigger(site, cooldown_seconds=60)
    send(site, "1"), send(site, "2")
    trigger(site, cooldown_seconds=100)
    move_clock(site, 61)
    tick(site)
    assert (len(runs(site)), evaluations(site, event="2")[0]["outcome"]) == (1, "deferred")
    move_clock(site, 40)
    tick(site)
    assert len(runs(site)) == 2


def test_a_dropping_trigger_says_what_to_do_and_never_fires_for_it(site: InProcess) -> None:
    trigger(site, cooldown_seconds=60, cooldown_mode="drop")
    send(site, "1"), send(site, "2")
    move_clock(site, 61)
    tick(site)
    assert len(runs(site)) == 1
    (found,) = evaluations(site, event="2")
    assert found["outcome"] == "cooldown"
    assert "send the event again afterwards, or set `cooldown_mode: defer`" in found["reason"]


def test_many_deferred_are_counted_and_the_newest_named(site: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.domain.trigger.MOST_DEFERRED", 2)
    trigger(site, cooldown_seconds=60)
    for number in range(1, 7):
        send(site, str(number))
    move_clock(site, 61)
    tick(site)
    gathered = newest_run(site)["event"]["deferred"]
    assert (gathered["count"], [one["id"] for one in gathered["events"]]) == (4, ["4", "5"])
