"""A control plane in this process with a history of every kind: what the auditor must find nothing wrong with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlmodel import SQLModel, col, select

from controlplane.client.client import Client
from controlplane.duties.rollouts import fold_rollouts
from controlplane.reactions.loop import build
from controlplane.store.database import Database
from controlplane.store.spine_tables import EventRow
from controlplane.transport.event_log import to_feed_event
from schemas.artifacts import ArtifactRef
from schemas.claims import Checkpoint
from schemas.facts import JobSucceeded
from schemas.jobs.curate import CurateResult
from schemas.kafka_binding import to_message
from schemas.topics import topic_of
from tests.support.builders.datasets import manifest, part
from tests.support.builders.models import MODEL, graph_ref
from tests.support.builders.results import curated, exported, trained
from tests.support.builders.specs import CURATE, TRAIN
from tests.support.http_server import serving
from tests.support.jobs import LEASE, Jobs
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import CANARY, InProcess
from tests.trials.chaos.invariants.auditor import Auditor
from tests.trials.chaos.invariants.expected import AliasMove, Expected
from tests.trials.chaos.invariants.view import Record
from workers.runtime.artifacts import ArtifactStore

DEPLOYMENT, SOURCE = "reviews", "//example.com/shop"
PIPELINE: Final[dict[str, Any]] = {"name": "rows", "stages": {"curate": {"kind": "curate", "spec": CURATE}}}
ON_EVENTS: Final[dict[str, Any]] = {
    "name": "on-events",
    "pipeline": "rows",
    "types": ["com.example.rows"],
    "sources": [SOURCE],
    "cooldown_seconds": 0,
}
ON_FACTS: Final[dict[str, Any]] = {
    **ON_EVENTS,
    "name": "on-facts",
    "types": [JobSucceeded.TYPE],
    "sources": ["graftwork"],
    "where": {"data.kind": "none of ours"},
}
"""Hears every success and starts nothing: its answers show that every fact was heard once."""


class Board:
    """Topics in memory: what was put there is read once, as from a broker."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._read = 0

    def put(self, row: EventRow, partition: int = 0) -> Record:
        message = to_message(to_feed_event(row))
        headers = {name: value.decode() for name, value in message.headers}
        key = message.key.decode() if message.key else None
        record = Record(topic_of(row.type), partition, len(self.records), key, headers, message.value)
        self.records.append(record)
        return record

    def read(self) -> list[Record]:
        new, self._read = self.records[self._read :], len(self.records)
        return new


@dataclass
class AuditedWorld:
    """Satisfies the auditor's protocol; everything is done by the commands and the API that the product has."""

    api: InProcess
    api_url: str
    artifacts: Path
    bootstrap_servers: str | None = None
    job_lease_seconds: float = LEASE
    expected: Expected = field(default_factory=Expected)
    board: Board = field(default_factory=Board)

    def __post_init__(self) -> None:
        self.admin_token = self.api.tokens["admin"]
        self.database = self.api.database
        self.jobs = Jobs(self.database)
        self.client = Client(self.api_url, self.admin_token)
        self.store = ArtifactStore(self.artifacts.as_uri(), self.artifacts.parent / "cache")
        self.auditor = Auditor(self, self.board if self.bootstrap_servers else None)

    @property
    def database_url(self) -> str:
        return self.database.url

    def look(self) -> list[str]:
        return self.auditor.look(self.expected)

    def glance(self) -> list[str]:
        return self.auditor.glance(self.expected)

    def close(self) -> None:
        self.auditor.close()
        self.client.close()

    # --- what happens on it ------------------------------------------------------------------------------------------

    def live(self) -> None:
        """Jobs, versions, a champion, a canary with its traffic and labels, aliases, a trigger and its run."""
        self.client.put_pipeline(PIPELINE)
        for trigger in (ON_EVENTS, ON_FACTS):
            self.client.put_trigger(trigger)
        self.curate("first")
        first, second = self.version(), self.version()
        self.release(first)
        self.canary(second)
        for version in (first, second):
            self.point("challenger", version)
        self.arrive("1")
        self.react()

    def request(self, kind: str = "curate", spec: dict[str, Any] | None = None) -> UUID:
        job_id = self.client.request_job(kind, spec or CURATE).id
        self.expected.jobs.add(job_id)
        return job_id

    def curate(self, name: str) -> UUID:
        """One job to its end, with a checkpoint and a line of log on the way."""
        job_id = self.request()
        self.work(name)
        return job_id

    def work(self, name: str) -> None:
        claim = self.jobs.claimed()
        checkpoint = Checkpoint(artifact=self.put(f"checkpoint of {name}"), step=1)
        self.jobs.beat(claim, checkpoint=checkpoint, logs=("it goes on",))
        self.jobs.complete(claim, self.rows(name))

    def rows(self, name: str) -> CurateResult:
        document = manifest([part("train", 1, self.put(f"rows of {name}"))])
        return curated(manifest=self.put(document.model_dump_json()), digest=document.digest)

    def version(self) -> UUID:
        """A trained and exported model version."""
        job_id = self.request("train", TRAIN)
        self.jobs.complete(self.jobs.claimed("train"), trained(adapter=self.put(f"adapter {job_id}")))
        version = UUID((self.client.get_job(job_id).outputs or {})["model_version"])
        self.request("export", {"model_version": str(version)})
        files = {"base_graph": "base graph", "adapter": f"graph of {version}", "tokenizer": "tokenizer"}
        graph = graph_ref(version, **{name: self.put(content) for name, content in files.items()})
        self.jobs.complete(self.jobs.claimed("export"), exported(version, graph=graph))
        return version

    def release(self, version: UUID) -> None:
        """The first champion: nobody is live to prove it."""
        self.client.put_deployment(DEPLOYMENT, {"model": MODEL, "policy": {"canary": CANARY}})
        self.rollout(version)
        self.turn()

    def rollout(self, version: UUID) -> UUID:
        rollout = self.client.start_rollout(DEPLOYMENT, str(version), reason="a test").id
        self.expected.rollouts.add(rollout)
        return rollout

    def turn(self) -> None:
        fold_rollouts(self.database, self.api.settings)

    def canary(self, version: UUID) -> UUID:
        """Some traffic, two labels, and a person who promotes it."""
        gateway = Gateway(self.api)
        rollout = self.rollout(version)
        gateway.report()
        self.turn()
        for _ in range(3):
            gateway.observe(40)
        for arm, label in (("stable", "positive"), ("canary", "negative")):
            prediction = gateway.prediction(arm, "positive")  # type: ignore[arg-type]
            self.expected.feedback[prediction] = self.client.give_feedback(prediction, label).counted
        self.turn()
        self.client.act_on_rollout(rollout, "promote", "it is good")
        return rollout

    def point(self, alias: str, version: UUID) -> AliasMove:
        now = next(iter(self.client.alias_history(MODEL, alias)), None)
        expected = now.id if now else None
        move = self.client.set_alias(MODEL, alias, str(version), reason="a test", expected=expected)
        said = AliasMove(move.id, MODEL, alias, version, expected)
        self.expected.moves.add(said)
        return said

    def arrive(self, event_id: str) -> None:
        """An event, the run that it starts, and the run's job."""
        event = {"specversion": "1.0", "id": event_id, "source": SOURCE, "type": "com.example.rows"}
        self.client.publish_event(event)
        self.expected.events.add((SOURCE, event_id))
        self.work(f"event {event_id}")

    def react(self) -> None:
        """Our own reactions hear every fact so far."""
        (facts,) = build(self.database, self.api.settings)
        while facts.step(0.05):
            pass
        facts.source.close()

    # --- planting ------------------------------------------------------------------------------------------

    def put(self, content: str) -> ArtifactRef:
        return self.store.put_bytes(content.encode(), "application/json")

    def add(self, *rows: SQLModel) -> None:
        with self.database.begin("test") as uow:
            uow.session.add_all(rows)

    def change(self, row_type: type[Any], *where: Any, **values: Any) -> Any:
        """The first row that fits, as somebody would who has the database's password."""
        with self.database.begin("test") as uow:
            row = uow.session.exec(select(row_type).where(*where)).first()
            assert row is not None
            for name, value in values.items():
                setattr(row, name, value)
            uow.session.add(row)
            return row

    def remove(self, row_type: type[Any], *where: Any) -> None:
        with self.database.begin("test") as uow:
            row = uow.session.exec(select(row_type).where(*where)).first()
            assert row is not None
            uow.session.delete(row)

    def facts(self, *where: Any) -> list[EventRow]:
        with self.database.read() as session:
            return list(session.exec(select(EventRow).where(*where).order_by(col(EventRow.seq))).all())

    def relay(self) -> None:
        """Every fact that is not on the board yet."""
        there = {record.headers["ce_id"] for record in self.board.records}
        for row in self.facts():
            if str(row.id) not in there:
                self.board.put(row)


@contextmanager
def audited(database: Database, artifacts: Path, **options: Any) -> Iterator[AuditedWorld]:
    api = InProcess(database)
    with serving(api.app) as url:
        site = AuditedWorld(api, url, artifacts, **options)
        try:
            yield site
        finally:
            site.close()
