"""A control plane in the middle of its work: something of every kind, so that a stranger's ids find things."""

from uuid import uuid4

from controlplane.commands.spine.dead_letters import Burial, bury
from controlplane.store.database import Database
from controlplane.transport.port import Delivery
from schemas.kafka_binding import KafkaMessage
from tests.support.answers import ok
from tests.support.builders.results import curated
from tests.support.builders.specs import CURATE
from tests.support.jobs import Jobs
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import InProcess

PIPELINE = {"params": {"limit": 10}, "stages": {"curate": {"kind": "curate", "spec": CURATE}}}
LETTERS = 40


def plant(database: Database) -> None:
    """Datasets, versions, a champion, rollouts, jobs of every phase, a pipeline, a trigger, dead letters."""
    site = InProcess(database)
    site.deploy()
    site.first_champion()
    gateway = Gateway(site)
    site.release(site.version())
    site.release(site.version())
    gateway.report()
    site.turn(3)
    jobs = Jobs(database)
    for letter in "abc":
        jobs.request()
        jobs.complete(jobs.claimed(), curated(letter))
    jobs.request()
    jobs.fail(jobs.claimed(), retryable=False)
    for _ in range(10):
        jobs.request()
    for _ in range(3):
        jobs.claimed()
    operator = site.client("operator")
    ok(operator.put("/v1/pipelines/retrain", json=PIPELINE))
    trigger = {"pipeline": "retrain", "types": ["com.example.rows"], "sources": ["/crm"], "daily_budget": 1000}
    ok(operator.put("/v1/triggers/on-rows", json=trigger))
    event = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "com.example.rows", "data": {"rows": 3}}
    headers = {"content-type": "application/cloudevents+json"}
    ok(operator.post("/v1/events", json=event, headers=headers))
    ok(operator.post("/v1/pipelines/retrain:run", json={}))
    _bury(database)


def _bury(database: Database) -> None:
    for offset in range(LETTERS):
        message = KafkaMessage(b"key", b"\xff not JSON", (("ce_id", b"\xfe"),))
        with database.begin("planted") as uow:
            bury(uow, Delivery("graftwork.inbound", 0, offset, message), Burial("inbound", f"unreadable {uuid4()}"))
