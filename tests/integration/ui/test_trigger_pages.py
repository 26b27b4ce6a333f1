"""Triggers as pages: what they listen to, why they did not fire, and who changed them."""

import pytest

from tests.support.answers import ok
from tests.support.triggers import PIPELINE, send, trigger
from tests.support.worlds.in_process import InProcess
from tests.support.worlds.website import Visitor, Website

HOSTILE = '"><script>alert(1)</script>{{ 7*7 }}'


@pytest.fixture
def viewer(web: Website, site: InProcess) -> Visitor:
    ok(site.client("operator").put("/v1/pipelines/nightly", json=PIPELINE))
    return web.sign_in("viewer")


def test_without_triggers_the_next_command_is_said(viewer: Visitor) -> None:
    assert "graftwork trigger apply" in viewer.page("/triggers").words


def test_the_list_says_what_each_listens_to_and_answered_last(viewer: Visitor, site: InProcess) -> None:
    trigger(site)
    trigger(site, "off", enabled=False)
    trigger(site, "unheard", types=["never.sent"])
    send(site)
    shown, found = viewer.page("/triggers"), viewer.twin("/triggers")
    assert {"/triggers/on-batch", "/triggers/off"} <= set(shown.links)
    assert "batch.ready" in shown.words
    assert {name: last and last["outcome"] for name, last in found["last"].items()} == {
        "off": "disabled",
        "on-batch": "fired",
        "unheard": None,
    }


def test_an_event_that_nobody_listens_to_is_shown_with_the_reason(viewer: Visitor, site: InProcess) -> None:
    send(site, "lost", type="batch.raedy")
    shown = viewer.page("/triggers")
    assert "no trigger listens to" in shown.words
    assert "batch.raedy" in shown.words


def test_it_says_why_it_did_not_fire_and_what_to_do(viewer: Visitor, site: InProcess) -> None:
    trigger(site, where={"data.bucket": "reviews"})
    send(site, "1", data={"uri": "file:///a.csv", "bucket": "other"})
    [started] = send(site, "2", data={"uri": "file:///a.csv", "bucket": "reviews"})
    shown = viewer.page("/triggers/on-batch")
    assert "data.bucket is 'other', expected 'reviews'; if it should fire, change the event" in shown.words
    assert f"/pipeline-runs/{started['run_id']}" in shown.links
    assert "/triggers/on-batch" in viewer.page(f"/pipeline-runs/{started['run_id']}").links
    assert "/triggers/on-batch" in viewer.page("/runs").links


def test_one_that_waits_says_when_it_fires(viewer: Visitor, site: InProcess) -> None:
    trigger(site, debounce_seconds=600)
    send(site)
    shown = viewer.page("/triggers/on-batch")
    assert "Fires at" in shown.words
    assert "600 s" in shown.words


def test_without_an_event_the_next_command_is_said(viewer: Visitor, site: InProcess) -> None:
    trigger(site)
    assert "graftwork events publish" in viewer.page("/triggers/on-batch").words


def test_its_history_says_who_changed_what_and_why(viewer: Visitor, site: InProcess) -> None:
    trigger(site)
    trigger(site, cooldown_seconds=90)
    operator = site.client("operator")
    assert operator.delete("/v1/triggers/on-batch", params={"reason": "nobody needs it"}).status_code == 204
    shown, found = viewer.page("/triggers/on-batch"), viewer.twin("/triggers/on-batch")
    assert "It was deleted" in shown.words
    assert "nobody needs it" in shown.words
    assert "cooldown_seconds: 0.0 → 90.0" in shown.words
    assert [one["revision"] for one in found["history"]] == [3, 2, 1]
    assert found["trigger"] is None


def test_one_that_never_was_is_404_in_words(viewer: Visitor, site: InProcess) -> None:
    trigger(site)
    answer = viewer.get("/triggers/on-bacth")
    assert answer.status_code == 404
    assert "never was" in answer.text


def test_what_others_wrote_is_text(viewer: Visitor, site: InProcess) -> None:
    trigger(site, where={"subject": HOSTILE}, params={"source": HOSTILE})
    ok(
        site.client("operator").put(
            "/v1/triggers/on-batch",
            params={"reason": HOSTILE},
            json={"pipeline": "nightly", "types": ["batch.ready"], "sources": [HOSTILE]},
        )
    )
    send(site, HOSTILE, subject=HOSTILE)
    send(site, "2", type=HOSTILE)
    for path in ("/triggers", "/triggers/on-batch"):
        shown = viewer.page(path)
        assert "<script>alert" not in shown.html
        assert HOSTILE in shown.words
