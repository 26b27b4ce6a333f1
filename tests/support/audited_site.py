"""A small site with a history of every kind, served by the real API: what the auditor must find nothing wrong with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from controlplane.client import Client
from controlplane.store.database import Database
from controlplane.store.spine_tables import EventRow
from controlplane.transport.event_log import to_feed_event
from schemas.artifacts import ArtifactRef, DatasetManifest, DatasetPart
from schemas.claims import Checkpoint
from schemas.jobs import CurateResult, TrainResult
from schemas.kafka_binding import to_message
from schemas.topics import topic_of
from tests.chaos.invariants import Auditor, Expected
from tests.chaos.invariants.view import Record
from tests.support.api_site import ApiSite
from tests.support.http_server import serving
from tests.support.jobs import CURATE, LEASE, Jobs, curated, trained
from workers.runtime.artifacts import ArtifactStore

TRIGGER: dict[str, Any] = {"name": "on-rows", "pipeline": "rows", "on": {}}


class Board:
    """Topics in memory: what was put there is read once, as from a broker."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._read = 0

    def put(self, row: EventRow) -> None:
        message = to_message(to_feed_event(row))
        headers = {name: value.decode() for name, value in message.headers}
        key = message.key.decode() if message.key else None
        offset = len(self.records)
        self.records.append(Record(topic_of(row.type), 0, offset, key, headers, message.value))

    def read(self) -> list[Record]:
        new, self._read = self.records[self._read :], len(self.records)
        return new


@dataclass
class AuditedSite:
    """Satisfies the auditor's protocol; everything is done by the commands and the API that the product has."""

    api_url: str
    admin_token: str
    database: Database
    artifacts: Path
    bootstrap_servers: str | None = None
    job_lease_seconds: float = LEASE
    expected: Expected = field(default_factory=Expected)
    board: Board = field(default_factory=Board)

    def __post_init__(self) -> None:
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

    def put(self, content: str) -> ArtifactRef:
        return self.store.put_bytes(content.encode(), "application/json")

    def request(self, kind: str = "curate", spec: dict[str, Any] | None = None) -> UUID:
        job_id = self.client.request_job(kind, spec or CURATE).id
        self.expected.jobs.add(job_id)
        return job_id

    def curate(self, name: str = "first") -> UUID:
        """One job to its end, with a checkpoint and a line of log on the way."""
        job_id = self.request()
        claim = self.jobs.claimed()
        checkpoint = Checkpoint(artifact=self.put(f"checkpoint of {name}"), step=1)
        self.jobs.beat(claim, checkpoint=checkpoint, logs=("it goes on",))
        self.jobs.complete(claim, self.rows(name))
        return job_id

    def rows(self, name: str) -> CurateResult:
        part = DatasetPart(split="train", rows=1, artifact=self.put(f"rows of {name}"))
        digest = part.artifact.digest
        manifest = DatasetManifest(digest=digest, columns={}, labels=("bad", "good"), parts=(part,), operators=())
        return curated(manifest=self.put(manifest.model_dump_json()), digest=digest)

    def train(self) -> UUID:
        """A model version's id."""
        job_id = self.request(
            "train", {"model": "sentiment", "base_model": "file:///base", "dataset": "reviews@latest"}
        )
        result: TrainResult = trained(adapter=self.put(f"adapter {job_id}"))
        self.jobs.complete(self.jobs.claimed("train"), result)
        return UUID((self.client.get_job(job_id).outputs or {})["model_version"])

    def facts(self) -> list[EventRow]:
        with self.database.read() as session:
            return list(session.exec(select(EventRow).order_by(col(EventRow.seq))).all())

    def relay(self) -> None:
        """Everything that is not on the board."""
        there = {record.headers["ce_id"] for record in self.board.records}
        for row in self.facts():
            if str(row.id) not in there:
                self.board.put(row)

    def close(self) -> None:
        self.auditor.close()
        self.client.close()


@contextmanager
def audited(database: Database, folder: Path, **options: Any) -> Iterator[AuditedSite]:
    api = ApiSite(database)
    with serving(api.app) as url:
        site = AuditedSite(url, api.tokens["admin"], database, folder / "artifacts", **options)
        try:
            yield site
        finally:
            site.close()
