"""Sends the planned events to the real door, kills its reader in the middle, and judges what came of each."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from controlplane.commands.spine.tokens import create_token
from controlplane.continuations import open_database
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.transport.kafka import create_topics
from schemas.kafka_binding import KafkaMessage
from schemas.topics import INBOUND, REACTIONS_GROUP
from tests.support.broker import Broker
from tests.support.http_server import serving
from tests.support.processes import Process, Processes
from tests.support.waiting import wait_for
from tests.support.worlds.in_process import InProcess
from tests.trials.hostile.databases import fresh_database
from tests.trials.hostile.event_judge import TopicPartitionOffset, faults_of, faults_of_answer
from tests.trials.hostile.event_plan import Planned, plan_events
from tests.trials.hostile.outcome import Outcome

PATIENCE = 3600
AT_ONCE = 200
RESETS = 10
"""How often a bad event is sent again when its answer was lost; a good one's must not be."""
PIPELINE = {"stages": {"curate": {"kind": "curate"}}}
TRIGGER = {"pipeline": "p", "types": ["com.example.rows"], "sources": ["/nobody"]}
"""It listens, and takes none of the sources: an answer each, and no run."""


def run(doors: str, database: str, events: int, seed: int, kills: int) -> Outcome:
    planned = plan_events(seed, events)
    with (
        tempfile.TemporaryDirectory(prefix="graftwork-hostile-") as folder,
        fresh_database(database, Path(folder)) as url,
    ):
        opened = open_database(url)
        _plant(opened)
        try:
            send = _by_kafka if doors == "kafka" else _by_http
            faults = send(opened, planned, kills, Path(folder))
        finally:
            opened.close()
    good = {one.id for one in planned if one.id}
    bad = sum(one.id is None for one in planned)
    line = (
        f"events by {doors} on {database}, seed {seed}: {events:,} events: {bad:,} bad, {events - bad:,} good "
        f"({len(good):,} different ones), {kills if doors == 'kafka' else 0} kills"
    )
    return Outcome(name_of(doors, database), [line], faults)


def name_of(doors: str, database: str) -> str:
    return f"events by {doors} on {database}"


def _plant(database: Database) -> None:
    operator = InProcess(database).client("operator")
    operator.put("/v1/pipelines/p", json=PIPELINE).raise_for_status()
    operator.put("/v1/triggers/t", json=TRIGGER).raise_for_status()


# --- Kafka ------------------------------------------------------------------------------------------------------------


def _by_kafka(database: Database, planned: list[Planned], kills: int, folder: Path) -> list[str]:
    broker = Broker.start_new()
    processes = Processes(folder)
    try:
        create_topics(Settings(kafka_bootstrap_servers=broker.bootstrap_servers))
        reader = _reactions(processes, database, broker, 0)
        bad = _sent(broker, planned)
        for number in range(1, kills + 1):
            _wait_for_share(database, broker, reader, number / (kills + 1))
            reader.kill()
            reader = _reactions(processes, database, broker, number)
        _wait_for_share(database, broker, reader, 1.0)
        faults = faults_of(database, {one.id for one in planned if one.id}, bad)
        return faults if reader.running else [*faults, f"the consumer has ended:\n{reader.output()[-2000:]}"]
    finally:
        processes.kill_all()
        broker.remove()


def _reactions(processes: Processes, database: Database, broker: Broker, number: int) -> Process:
    environment = {
        "GRAFTWORK_DATABASE_URL": database.url,
        "GRAFTWORK_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "GRAFTWORK_SINGLETON_LEASE_SECONDS": "2",
    }
    return processes.python(f"reactions-{number}", "-m", "controlplane", "reactions", env=environment)


def _sent(broker: Broker, planned: list[Planned]) -> dict[TopicPartitionOffset, KafkaMessage]:
    """The bad ones, by where they lie."""
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks="all", delivery_timeout_ms=600_000)
    try:
        partitions = sorted(producer.partitions_for(INBOUND))
        sent = []
        for number, one in enumerate(planned):
            message, partition = one.message, partitions[number % len(partitions)]
            headers = list(message.headers)
            sent.append(producer.send(INBOUND, message.value, message.key, headers, partition))
            if number % AT_ONCE == 0:
                producer.flush()  # some are large: a slow broker would hold all of them in our memory
        places = [future.get(600) for future in sent]
    finally:
        producer.close()
    pairs = zip(planned, places, strict=True)
    return {(INBOUND, place.partition, place.offset): one.message for one, place in pairs if one.id is None}


def _wait_for_share(database: Database, broker: Broker, reader: Process, share: float) -> None:
    """So much of the topic is committed by the group."""
    with _watching(broker) as consumer:
        partitions = [TopicPartition(INBOUND, number) for number in consumer.partitions_for_topic(INBOUND)]
        ends = consumer.end_offsets(partitions)

        def read() -> bool:
            assert reader.running, f"the consumer has ended:\n{reader.output()[-3000:]}"
            return bool(sum(consumer.committed(one) or 0 for one in partitions) >= share * sum(ends.values()))

        wait_for(read, f"{share:.0%} of the events are read", seconds=PATIENCE)


@contextmanager
def _watching(broker: Broker) -> Iterator[Any]:
    consumer = KafkaConsumer(
        bootstrap_servers=broker.bootstrap_servers, group_id=REACTIONS_GROUP, enable_auto_commit=False
    )
    try:
        yield consumer
    finally:
        consumer.close(autocommit=False)


# --- HTTP -------------------------------------------------------------------------------------------------------------


def _by_http(database: Database, planned: list[Planned], _kills: int, _folder: Path) -> list[str]:
    """The same events in the HTTP binding: a good one is 202 and a bad one 4xx, in words."""
    site = InProcess(database)
    with database.begin("hostile") as uow:
        token = create_token(uow, "hostile", "operator")[1]
    statuses: Counter[str] = Counter()
    faults = []
    with serving(site.app) as url, httpx.Client(base_url=url, timeout=60) as client:
        for one in planned:
            if not _is_http(one):
                continue
            answer = _answer_to(client, one, token)
            statuses[str(answer.status_code)] += 1
            faults += faults_of_answer(one, answer)
    print(f"answers: {dict(statuses)}")  # noqa: T201
    return [*faults[:20], *faults_of(database, {one.id for one in planned if one.id and _is_http(one)}, {})]


def _answer_to(client: httpx.Client, one: Planned, token: str) -> httpx.Response:
    """A server that refuses a header too large closes with the rest unread: the reset may overtake its answer."""
    headers = [(name.replace("ce_", "ce-", 1).encode(), _escaped(value)) for name, value in one.message.headers]
    headers.append((b"authorization", b"Bearer " + token.encode()))
    send = partial(client.post, "/v1/events", content=one.message.value or b"", headers=headers)
    for _ in range(0 if one.id else RESETS):
        try:
            return send()
        except httpx.NetworkError:
            continue
    return send()


def _is_http(one: Planned) -> bool:
    """No server would read a header with another name."""
    return all(name.encode().decode("latin-1").isascii() and name.isprintable() for name, _ in one.message.headers)


def _escaped(value: bytes) -> bytes:
    """The HTTP binding percent-encodes whatever is no printable ASCII."""
    return b"".join(bytes([b]) if 0x20 < b < 0x7F and b not in b'%"' else b"%%%02X" % b for b in value)
