"""Triggers and events over HTTP: what is refused, who may, and what is listed."""

from typing import Any

import pytest
from sqlmodel import func, select

from controlplane.commands.automation.inbound import receive_event
from controlplane.errors import PayloadTooLarge
from controlplane.store.database import Database
from controlplane.store.spine_tables import InboxRow
from schemas.cloudevent import InboundEvent
from tests.support.answers import ok
from tests.support.triggers import TRIGGER, facts, send, trigger
from tests.support.worlds.in_process import InProcess


@pytest.mark.parametrize(
    ("values", "status", "said"),
    [
        ({"pipeline": "nobody"}, 404, "there is no pipeline 'nobody'"),
        ({"params": {"rows": 1}}, 422, "has no param 'rows'; it has: source"),
        ({"types": []}, 422, "types"),
        ({"types": [""]}, 422, "may not be empty"),
        ({"cron": "* * * * *"}, 422, "cron"),
        ({"name": "other"}, 422, "expected 'on-batch' as in the path"),
        ({"types": ["dev.graftwork.nothing.v1"]}, 422, "there is no fact"),
    ],
)
def test_a_bad_trigger_is_refused(site: InProcess, values: dict[str, Any], status: int, said: str) -> None:
    answer = site.client("operator").put("/v1/triggers/on-batch", json={**TRIGGER, **values})
    assert answer.status_code == status
    assert said in answer.json()["detail"], answer.text


def test_triggers_are_listed_read_and_deleted(site: InProcess) -> None:
    for name in ("b", "a"):
        trigger(site, name)
    viewer = site.client("viewer")
    assert [t["name"] for t in ok(viewer.get("/v1/triggers"))["items"]] == ["a", "b"]
    assert ok(viewer.get("/v1/triggers/a"))["spec"]["types"] == ["batch.ready"]
    assert viewer.delete("/v1/triggers/a").status_code == 403
    assert site.client("operator").delete("/v1/triggers/a").status_code == 204
    assert site.client("operator").delete("/v1/triggers/a").status_code == 404


@pytest.mark.parametrize(
    ("event", "status", "said"),
    [
        ({"data": {"x": "y" * 262_200}}, 413, "at most 262144"),
        ({"data": {"x": "a\0b"}}, 422, "U+0000"),
        ({"type": "dev.graftwork.job.failed.v1"}, 422, "Graftwork's own"),
        ({"source": "graftwork"}, 422, "is Graftwork's own"),
        ({"specversion": "2.0"}, 422, "specversion"),
        ({"id": ""}, 422, "id"),
        ({"id": "a\0b"}, 422, "U+0000"),
        ({"Bad_Name": "x"}, 422, "lower-case letters and digits only"),
    ],
)
def test_a_bad_event_is_refused_and_leaves_nothing(
    site: InProcess, event: dict[str, Any], status: int, said: str
) -> None:
    trigger(site)
    whole = {"specversion": "1.0", "id": "1", "source": "shop", "type": "batch.ready", **event}
    headers = {"content-type": "application/cloudevents+json"}
    answer = site.client("operator").post("/v1/events", json=whole, headers=headers)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    with site.database.read() as session:
        assert session.exec(select(func.count()).select_from(InboxRow)).one() == 0
    assert facts(site) == []


def test_a_viewer_may_not_send_events(site: InProcess) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "shop", "ce-type": "x"}
    assert site.client("viewer").post("/v1/events", headers=headers).status_code == 403


def test_the_door_itself_measures(database: Database) -> None:
    """Kafka's consumer comes by the same door."""
    event = InboundEvent(specversion="1.0", id="1", source="shop", type="x", data="x" * 300_000)
    with pytest.raises(PayloadTooLarge), database.begin("test") as uow:
        receive_event(uow, event)


def test_evaluations_come_newest_first_in_pages(site: InProcess) -> None:
    for n in range(5):
        send(site, str(n), type="nobody.listens")
    seen: list[str] = []
    cursor: dict[str, str] | None = {}
    while cursor is not None:
        page = ok(site.client("viewer").get("/v1/trigger-evaluations", params={"limit": 2, **cursor}))
        seen += [item["event_id"] for item in page["items"]]
        cursor = {"cursor": page["next"]} if page["next"] else None
    assert seen == ["4", "3", "2", "1", "0"]
