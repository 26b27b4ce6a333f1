"""Outbox → Kafka: committed facts to acknowledged records, against a raw producer with the same records."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from uuid import uuid4

from kafka import KafkaProducer
from sqlalchemy import insert
from sqlmodel import col, delete

from controlplane.commands.spine.singleton import Singleton
from controlplane.relay import Relay
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.spine_tables import CursorRow, EventRow
from controlplane.transport.event_log import read_events
from controlplane.transport.kafka import KafkaPublisher, create_topics, producer_config
from schemas.cloudevent import EventData
from schemas.facts import JobRequested, JobStarted, JobSucceeded
from schemas.kafka_binding import KafkaMessage, to_message
from schemas.topics import topic_of
from tests.trials.bench.parts import Options
from tests.trials.bench.report import Goal, Ratio, alternate

APART = 24
"""A job's next fact comes so many facts later: as when eight workers are busy."""


def measure(options: Options) -> list[Ratio]:
    settings = Settings(kafka_bootstrap_servers=options.parts.kafka.bootstrap_servers)
    create_topics(settings)
    with options.parts.database("PostgreSQL") as database:
        count = options.size(20_000, 300)
        commit_facts(database, count)
        records = _records(database, count)
        pairs = alternate(
            options.rounds,
            lambda: relayed_per_second(database, settings, count),
            lambda: raw_per_second(settings, records),
        )
    size = sum(len(message.value or b"") + sum(map(len, dict(message.headers).values())) for _, message in records)
    return [
        Ratio.of(
            "outbox relay",
            "events/s",
            pairs,
            against="raw kafka-python producer",
            goal=Goal("at least", 0.7),
            note=f"{count:,} facts of about {size // count} bytes with their headers, {APART} facts between two of one "
            "job; both: acks=all, idempotent, the same batching, one process. The raw producer has its records in "
            "memory and nothing to remember; the relay reads them from PostgreSQL, keeps every job's order through "
            "refusals and faults, and moves its fenced cursor",
        )
    ]


def commit_facts(database: Database, count: int) -> None:
    """As so many jobs would have announced them, oldest first."""
    now = datetime.now(UTC)
    rows = [
        EventRow(
            id=uuid4(), source="graftwork", type=fact.TYPE, subject=f"job/{job}", time=now,
            correlationid=job, causationid=str(uuid4()), data=fact.model_dump(mode="json"),
        ).model_dump(exclude={"seq"})
        for job, fact in _facts(count)
    ]  # fmt: skip
    with database.begin("bench") as uow:
        uow.session.execute(insert(EventRow), rows)


def relayed_per_second(database: Database, settings: Settings, count: int) -> float:
    """From the first fact, with a producer that is connected already."""
    with database.begin("bench") as uow:
        uow.session.execute(delete(CursorRow).where(col(CursorRow.name) == "relay"))
    publisher = KafkaPublisher(settings)
    with closing(Relay(database, publisher, Singleton(database, "relay", 30))) as relay:
        publisher.publish([(topic_of(JobRequested.TYPE), KafkaMessage(b"warm", b"{}", ()))])
        began, relayed = time.monotonic(), 0
        while done := relay.step():
            relayed += done
        seconds = time.monotonic() - began
    assert relayed == count, f"{relayed} of {count} facts were relayed"
    return count / seconds


def raw_per_second(settings: Settings, records: list[tuple[str, KafkaMessage]]) -> float:
    with closing(KafkaProducer(**producer_config(settings))) as producer:
        producer.send(records[0][0], key=b"warm", value=b"{}").get(timeout=30)
        began = time.monotonic()
        futures = [
            producer.send(topic, key=message.key, value=message.value, headers=list(message.headers))
            for topic, message in records
        ]
        producer.flush()
        for future in futures:
            future.get(timeout=30)
        return len(records) / (time.monotonic() - began)


def _facts(count: int) -> Iterator[tuple[str, EventData]]:
    """Requested, started, succeeded: of three jobs in turn, each a little further on than the next."""
    jobs = [uuid4() for _ in range(count // 3 + 1)]
    behind = APART // 3
    steps = (JobRequested, None), (JobStarted, "a-worker"), (JobSucceeded, None)
    facts = (
        (
            number + step * behind,
            str(job),
            kind(job_id=job, kind="train", attempt=min(step, 1), **({"owner": owner} if owner else {})),
        )
        for number, job in enumerate(jobs)
        for step, (kind, owner) in enumerate(steps)
    )
    return ((job, fact) for _, job, fact in islice(sorted(facts, key=lambda one: one[0]), count))


def _records(database: Database, count: int) -> list[tuple[str, KafkaMessage]]:
    with database.read() as session:
        return [(topic_of(event.type), to_message(event)) for event in read_events(session, 0, limit=count)]
