"""What nobody may see is planted at every door, and looked for in the log, the answers and every table."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from controlplane.store.database import Database
from processes.logs import DiscreetFormatter
from tests.support import sinks
from tests.support.builders.specs import CURATE
from tests.support.http_server import serving
from tests.support.worlds.in_process import InProcess

PASSWORD = "hunter2-planted-password"
PERSON = "jane.doe-planted@example.com"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """As every process of ours writes it."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(DiscreetFormatter("%(name)s %(message)s"))
    logging.getLogger().addHandler(handler)
    yield out
    logging.getLogger().removeHandler(handler)


def dump(database: Database) -> str:
    return repr(sinks.tables(database))


@pytest.mark.parametrize("uri", [f"s3://user:{PASSWORD}@bucket/rows.csv", f"s3://bucket/rows.csv?sig={PASSWORD}"])
def test_a_password_in_a_uri_is_refused_and_kept_nowhere(database: Database, log: io.StringIO, uri: str) -> None:
    site = InProcess(database)
    client = site.client("operator")
    spec = {**CURATE, "sources": [{"uri": uri, "text": "t", "label": "l"}]}
    answer = client.post("/v1/jobs", json={"kind": "curate", "spec": spec})
    assert answer.status_code == 422
    told = [answer.text] if "user:" in uri else []
    if "user:" in uri:
        stages = {"curate": {"kind": "curate", "spec": spec}}
        refused = client.put("/v1/pipelines/planted", json={"name": "planted", "stages": stages})
        assert (refused.status_code, refused.json()["field"]) == (422, "body")
        told.append(refused.text)
    for sink in (*told, dump(database), log.getvalue(), client.get("/metrics").text):
        assert PASSWORD not in sink


def test_tokens_are_in_no_table_and_in_no_refusal(database: Database, log: io.StringIO) -> None:
    site = InProcess(database)
    made = site.client("admin").post("/v1/tokens", json={"name": "ci", "role": "viewer"}).json()["token"]
    wrong = f"gw_{PASSWORD}"
    answers = [
        site.client(None).get("/v1/jobs", headers={"authorization": f"Bearer {wrong}"}),
        site.client(None).get("/v1/jobs", headers={"authorization": f"Basic {wrong}"}),
        site.client("viewer").post("/v1/tokens", json={"name": wrong, "role": "admin"}),
        site.client("admin").get("/v1/tokens"),
        site.client("viewer").get("/metrics"),
    ]
    places = [dump(database), log.getvalue(), *(answer.text for answer in answers)]
    for token in (made, wrong, *site.tokens.values()):
        assert all(token not in place for place in places)


def test_a_crash_in_an_endpoint_tells_no_row_to_the_caller_or_the_log(sqlite_database: Database, log: Any) -> None:
    site = InProcess(sqlite_database)

    def crash() -> None:
        row = {"text": PERSON}
        raise ValueError(f"cannot handle {row}")

    site.app.add_api_route("/v1/planted", crash)
    with serving(site.app) as url:
        answer = httpx.get(f"{url}/v1/planted")
    assert answer.status_code == 500
    assert answer.json()["detail"] == "unexpected ValueError"
    told = log.getvalue()
    assert "in crash" in told, "the place is told"
    assert PERSON not in told
    assert PERSON not in answer.text


def test_feedback_and_events_that_are_refused_are_not_quoted_in_the_log(database: Database, log: io.StringIO) -> None:
    site = InProcess(database)
    assert (
        site.client("feedback").post("/v1/feedback", json={"prediction_id": PERSON, "label": PERSON}).status_code == 422
    )
    client = site.client("operator")
    headers = {"content-type": "application/cloudevents+json"}
    client.post("/v1/events", content=json.dumps({"specversion": "9", "data": PASSWORD}).encode(), headers=headers)
    for planted in (PERSON, PASSWORD):
        assert planted not in log.getvalue()
        assert planted not in dump(database)
