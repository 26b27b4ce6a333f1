"""What strangers' libraries send to `POST /v1/events`, as they send it."""

import json
from typing import Any

import pytest

from controlplane.store.database import Database
from tests.support.triggers import runs, trigger
from tests.support.worlds.in_process import InProcess

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
EVENT: dict[str, Any] = {"specversion": "1.0", "type": "batch.ready", "source": "shop", "id": "n1"}
DATA = {"uri": "file:///1.csv"}


def post(site: InProcess, content: str, content_type: str = STRUCTURED) -> Any:
    return site.client("operator").post("/v1/events", content=content, headers={"content-type": content_type})


@pytest.mark.parametrize(
    "members",
    [
        {"unsetextension": None, "datacontenttype": "application/json", "data": DATA},
        {"datacontenttype": "application/json", "data_base64": "eyJ1cmkiOiAiZmlsZTovLy8xLmNzdiJ9"},
    ],
    ids=["null extension", "JSON in base64"],
)
def test_the_data_resolves_for_a_trigger(site: InProcess, members: dict[str, Any]) -> None:
    trigger(site)
    answer = post(site, json.dumps({**EVENT, **members}))
    assert answer.status_code == 202, answer.text
    assert [evaluation["outcome"] for evaluation in answer.json()["evaluations"]] == ["fired"]
    assert runs(site)[0]["params"]["source"] == "file:///1.csv"


def test_a_batch_is_answered_event_by_event_and_a_repeated_one_is_known(site: InProcess) -> None:
    trigger(site)
    events = [{**EVENT, "id": event_id, "data": DATA} for event_id in ("n1", "n2", "n1")]
    answer = post(site, json.dumps(events), BATCH)
    assert answer.status_code == 202, answer.text
    items = answer.json()["items"]
    assert [(item["id"], item["repeated"]) for item in items] == [("n1", False), ("n2", False), ("n1", True)]
    assert len(runs(site)) == 2
    assert post(site, "[]", BATCH).json() == {"items": []}


def test_a_batch_with_one_bad_event_is_refused_whole_and_names_it(site: InProcess, database: Database) -> None:
    trigger(site)
    answer = post(site, json.dumps([{**EVENT, "data": DATA}, {**EVENT, "id": "n2", "type": None}]), BATCH)
    assert answer.status_code == 422
    assert "1.type" in answer.json()["detail"]
    assert runs(site) == []
    assert post(site, json.dumps([{**EVENT, "data": DATA}]), BATCH).json()["items"][0]["repeated"] is False
