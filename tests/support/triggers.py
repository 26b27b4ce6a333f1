"""What a trigger's tests do again and again: send events, and read what became of them."""

from datetime import timedelta
from typing import Any

from sqlmodel import select

from controlplane.commands.spine.inbox import is_first_time
from controlplane.reactions.facts import react
from controlplane.store.tables import TriggerEvaluationRow
from controlplane.store.unit_of_work import Cause
from controlplane.transport.event_log import read_events
from tests.support.answers import ok
from tests.support.builders.specs import TRAIN
from tests.support.facts import apart
from tests.support.worlds.in_process import InProcess

PIPELINE = {
    "params": {"source": "file:///rows.csv"},
    "stages": {
        "curate": {"kind": "curate", "spec": {"dataset": "reviews", "sources": [{"uri": "${params.source}"}]}},
        "train": {
            "kind": "train",
            "needs": ["curate"],
            "spec": TRAIN | {"dataset": "${stages.curate.dataset}"},
        },
    },
}
TRIGGER = {
    "pipeline": "nightly",
    "types": ["batch.ready"],
    "sources": ["shop"],
    "params": {"source": "${event.data.uri}"},
    "cooldown_seconds": 0,
}
CREATED = "dev.graftwork.dataset.version_created.v1"


def trigger(site: InProcess, name: str = "on-batch", **values: Any) -> None:
    ok(site.client("operator").put(f"/v1/triggers/{name}", json={**TRIGGER, **values}))


def send(site: InProcess, event_id: str = "1", **values: Any) -> list[dict[str, Any]]:
    """Structured mode; answers the evaluations."""
    event = {"specversion": "1.0", "id": event_id, "source": "shop", "type": "batch.ready", **values}
    event.setdefault("data", {"uri": f"file:///{event_id}.csv"})
    headers = {"content-type": "application/cloudevents+json"}
    answer = site.client("operator").post("/v1/events", json=event, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()["evaluations"]  # type: ignore[no-any-return]


def outcomes(evaluations: list[dict[str, Any]]) -> list[str]:
    return [evaluation["outcome"] for evaluation in evaluations]


def runs(site: InProcess) -> list[dict[str, Any]]:
    return ok(site.client("viewer").get("/v1/pipeline-runs"))["items"]  # type: ignore[no-any-return]


def evaluations(site: InProcess, **filters: str) -> list[dict[str, Any]]:
    return ok(site.client("viewer").get("/v1/trigger-evaluations", params=filters))["items"]  # type: ignore[no-any-return]


def facts(site: InProcess, *names: str) -> list[dict[str, Any]]:
    """But for those of the audit log, unless they are named."""
    types = [f"dev.graftwork.{name}" for name in names]
    items: list[dict[str, Any]] = ok(site.client("viewer").get("/v1/events", params={"after": 0, "type": types}))[
        "items"
    ]
    return items if names else apart(items)[0]


def hear_facts(site: InProcess) -> None:
    """What the reactions process does, by hand: every fact of ours, in order, each in one transaction."""
    after = 0
    while True:
        with site.database.read() as session:
            events = read_events(session, after, limit=1)
        if not events:
            return
        after = events[0].seq
        with site.database.begin("reactions", Cause(events[0].correlationid, events[0].id)) as uow:
            if is_first_time(uow, "reactions.facts", events[0].source, events[0].id):
                react(uow, events[0])


def move_clock(site: InProcess, seconds: float) -> None:
    """As if every evaluation had been made so much earlier."""
    with site.database.begin("test") as uow:
        for row in uow.session.exec(select(TriggerEvaluationRow)).all():
            row.at -= timedelta(seconds=seconds)
            if row.due_at:
                row.due_at -= timedelta(seconds=seconds)
