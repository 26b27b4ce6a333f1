"""Records as other people's producers write them: every codec, damaged batches, transactions, and how we keep up."""

import json
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from kafka import KafkaProducer
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import calc_crc32c
from prometheus_client.parser import text_string_to_metric_families
from sqlmodel import select

from controlplane.api.app import create_app
from controlplane.projections import inbound as projection
from controlplane.projections.metrics import render
from controlplane.reactions import progress
from controlplane.reactions.consumer import Consumer
from controlplane.reactions.readers import InboundRecord, inbound_reaction
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.spine_tables import DeadLetterRow
from controlplane.store.tables import TriggerEvaluationRow
from controlplane.transport.kafka import create_topics
from controlplane.transport.kafka_source import KafkaSource
from schemas.topics import INBOUND, PARTITIONS, REACTIONS_GROUP
from tests.support.broker import Broker
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

CODECS = (None, "gzip", "snappy", "lz4", "zstd")
ATTRIBUTES = DefaultRecordBatch.ATTRIBUTES_OFFSET
CRC = DefaultRecordBatch.CRC_OFFSET


@pytest.fixture
def consumer(kafka: Broker, postgres_database: Database) -> Iterator[Consumer[InboundRecord]]:
    settings = Settings(kafka_bootstrap_servers=kafka.bootstrap_servers)
    create_topics(settings)
    source = KafkaSource(settings, [INBOUND], REACTIONS_GROUP)
    yield Consumer(postgres_database, source, inbound_reaction(), retry_seconds=0.01)
    source.close()


def headers(event_id: str) -> list[tuple[str, bytes]]:
    values = {"ce_specversion": "1.0", "ce_id": event_id, "ce_source": "/crm", "ce_type": "com.example.rows"}
    return [("content-type", b"application/json"), *((name, text.encode()) for name, text in values.items())]


def send(producer: KafkaProducer, event_id: str, partition: int = 0, value: bytes | None = b'{"a": 1}') -> int:
    """One batch of one record; answers its offset."""
    sent = producer.send(INBOUND, value=value, headers=headers(event_id), partition=partition)
    producer.flush()
    return int(sent.get(30).offset)


def heard(database: Database) -> list[str]:
    with database.read() as session:
        return [row.event_id for row in session.exec(select(TriggerEvaluationRow))]


def letters(database: Database) -> list[DeadLetterRow]:
    with database.read() as session:
        return list(session.exec(select(DeadLetterRow).order_by(DeadLetterRow.partition, DeadLetterRow.offset)))  # type: ignore[arg-type]


def until(consumer: Consumer[InboundRecord], count: int) -> list[str]:
    def step() -> bool:
        consumer.step(0.2)
        return len(heard(consumer.database)) >= count

    wait_for(step, f"{count} events have their effect")
    return heard(consumer.database)


class Segment:
    """The file of a partition, as a disk may spoil it."""

    def __init__(self, broker: Broker, partition: int) -> None:
        if broker.folder is None:
            pytest.skip("NOT RUN: GRAFTWORK_TEST_KAFKA names a broker whose disk no test may spoil")
        (self._file,) = list(Path(broker.folder).rglob(f"{INBOUND}-{partition}/*.log"))

    def flip_last_byte(self, offset: int) -> None:
        begin, end = self._batch(offset)
        content = bytearray(self._file.read_bytes())
        content[end - 1] ^= 0xFF
        self._write(begin, content[begin:end])

    def name_unknown_codec(self, offset: int) -> None:
        """With a checksum that is right: what a newer producer might write."""
        begin, end = self._batch(offset)
        batch = bytearray(self._file.read_bytes()[begin:end])
        batch[ATTRIBUTES + 1] |= 0x07
        struct.pack_into(">I", batch, CRC, calc_crc32c(batch[ATTRIBUTES:]))
        self._write(begin, batch)

    def _batch(self, offset: int) -> tuple[int, int]:
        content, begin = self._file.read_bytes(), 0
        while begin < len(content):
            base, length = struct.unpack_from(">qi", content, begin)
            last = base + DefaultRecordBatch(content[begin : begin + 12 + length]).last_offset_delta
            if base <= offset <= last:
                return begin, begin + 12 + length
            begin += 12 + length
        raise AssertionError(f"no batch of offset {offset}")

    def _write(self, begin: int, batch: bytes) -> None:
        with self._file.open("r+b") as file:
            file.seek(begin)
            file.write(batch)


def test_every_codec_is_read_and_a_damaged_batch_on_every_partition_stops_nothing(
    consumer: Consumer[InboundRecord], kafka: Broker
) -> None:
    spoiled = {}
    for codec in CODECS:
        with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, compression_type=codec)) as producer:
            for partition in range(PARTITIONS):
                send(producer, f"{codec}-{partition}-before", partition)
                damaged = send(producer, f"{codec}-{partition}-damaged", partition)
                unknown = send(producer, f"{codec}-{partition}-unknown", partition)
                send(producer, f"{codec}-{partition}-after", partition)
                Segment(kafka, partition).flip_last_byte(damaged)
                Segment(kafka, partition).name_unknown_codec(unknown)
                spoiled[partition, damaged] = "checksum"
                spoiled[partition, unknown] = "compression codec 7, expected one of gzip, snappy, lz4, zstd"
    began = time.monotonic()
    good = {f"{codec}-{n}-{when}" for codec in CODECS for n in range(PARTITIONS) for when in ("before", "after")}
    found = until(consumer, len(good))
    print(f"{len(good)} good events in {time.monotonic() - began:.1f} s, joining the group included")  # noqa: T201
    assert sorted(found) == sorted(good)
    buried = letters(consumer.database)
    assert {(letter.partition, letter.offset) for letter in buried} == set(spoiled)
    for letter in buried:
        assert spoiled[letter.partition, letter.offset] in letter.reason
        assert f"offset {letter.offset}" in letter.reason
        assert letter.topic == INBOUND
        assert letter.value
        assert int.from_bytes(letter.value[:8], "big") == letter.offset  # as it is on the wire: nothing is lost


def test_a_damaged_batch_of_many_records_is_one_letter_and_the_next_batch_follows(
    consumer: Consumer[InboundRecord], kafka: Broker
) -> None:
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, linger_ms=5000)) as producer:
        for number in range(5):
            producer.send(INBOUND, value=b"{}", headers=headers(f"lost-{number}"), partition=0)
        producer.flush()
        Segment(kafka, 0).flip_last_byte(0)
        assert send(producer, "after") == 5
    assert until(consumer, 1) == ["after"]
    (letter,) = letters(consumer.database)
    assert "offsets 0 to 4" in letter.reason
    consumer.source.close()  # what is committed is past the batch: it is not met again
    assert consumer.step(3) == 0
    assert len(letters(consumer.database)) == 1


def test_an_event_without_data_may_have_an_empty_value_or_none(
    consumer: Consumer[InboundRecord], kafka: Broker
) -> None:
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)) as producer:
        for value in (b"", None):
            producer.send(INBOUND, key=b"k", value=value, headers=headers(f"no-data-{value!r}")[1:], partition=0).get(
                30
            )
    assert sorted(until(consumer, 2)) == ["no-data-None", "no-data-b''"]


def test_neither_an_aborted_nor_an_open_transaction_has_an_effect_and_an_open_one_is_named(
    consumer: Consumer[InboundRecord], kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "REPORT_SECONDS", 0.0)
    database = consumer.database
    settings = Settings(kafka_bootstrap_servers=kafka.bootstrap_servers)
    with (
        closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id="stranger")) as producer,
        closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)) as plain,
    ):
        producer.init_transactions()
        for event_id, end in (("aborted", producer.abort_transaction), ("committed", producer.commit_transaction)):
            producer.begin_transaction()
            send(producer, event_id)
            end()
        assert until(consumer, 1) == ["committed"]
        producer.begin_transaction()
        held = send(producer, "open")
        send(plain, "behind")
        for _ in range(3):
            consumer.step(0.3)
        consumer.progress.report()
        assert heard(database) == ["committed"]
        with database.read() as session:
            assert projection.faults(session) == []  # it may well end in time
        monkeypatch.setattr(projection, "STUCK_AFTER", timedelta(milliseconds=300))
        consumer.step(0.5)
        consumer.progress.report()
        app = TestClient(create_app(settings, database))
        answer = app.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        (said,) = [line for line in answer.json()["inbound"] if line.startswith(f"{INBOUND}/0:")]
        assert "open transaction has held back 2 offsets" in said
        assert inbound_metrics(database) == {"lag": 2, "open_transaction_lag": 2, "stuck": 1}
        assert held == 4  # after two records and two markers
        producer.commit_transaction()
        assert sorted(until(consumer, 3)) == ["behind", "committed", "open"]
        consumer.step(0.5)
        consumer.progress.report()
        monkeypatch.setattr(projection, "STUCK_AFTER", timedelta(seconds=30))
        assert inbound_metrics(database) == {"lag": 0, "open_transaction_lag": 0, "stuck": 0}
        assert app.get("/readyz").json() == {"status": "ready"}


def inbound_metrics(database: Database, partition: int = 0) -> dict[str, float]:
    with database.read() as session:
        families = text_string_to_metric_families(render(session).decode())
    return {
        family.name.removeprefix("graftwork_inbound_"): sample.value
        for family in families
        for sample in family.samples
        if family.name.startswith("graftwork_inbound_") and sample.labels["partition"] == str(partition)
    }


def test_what_cannot_be_tried_to_its_end_is_stuck_and_named(
    consumer: Consumer[InboundRecord], kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "REPORT_SECONDS", 0.0)
    settings = Settings(kafka_bootstrap_servers=kafka.bootstrap_servers)
    ready = TestClient(create_app(settings, consumer.database))
    assert "no reactions process has read" in ready.get("/readyz").json()["inbound"][0]
    monkeypatch.setattr(consumer.tries, "take", lambda deliveries: (_ for _ in ()).throw(TimeoutError()))
    monkeypatch.setattr("controlplane.reactions.consumer.PASSING", (TimeoutError,))
    monkeypatch.setattr(projection, "STUCK_AFTER", timedelta(seconds=0.5))
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)) as producer:
        send(producer, "waits")

    def named() -> str | None:
        consumer.step(0.2)
        consumer.progress.report()
        said = [line for line in ready.get("/readyz").json().get("inbound", []) if f"{INBOUND}/0: offset 0" in line]
        return said[0] if said else None

    assert "1 records wait" in wait_for(named, "it is stuck")
    assert inbound_metrics(consumer.database) == {"lag": 1, "open_transaction_lag": 0, "stuck": 1}
    consumer.source.close()
    wait_for(lambda: "has told of it" in str(ready.get("/readyz").json().get("inbound")), "nobody tells")


def test_a_batch_in_one_record_is_taken_whole_and_each_event_once(
    consumer: Consumer[InboundRecord], kafka: Broker
) -> None:
    event = {"specversion": "1.0", "source": "/crm", "type": "com.example.rows"}
    whole = [{**event, "id": "one"}, {**event, "id": "two", "source": "/shop"}, {**event, "id": "one"}]
    content_type = [("content-type", b"application/cloudevents-batch+json")]
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)) as producer:
        for batch in ([], [{**event, "id": "three"}, {"id": "four"}], whole):
            producer.send(INBOUND, value=json.dumps(batch).encode(), headers=content_type, partition=0).get(30)
    assert until(consumer, 2) == ["one", "two"]
    (letter,) = letters(consumer.database)
    assert letter.offset == 1
    assert "1.specversion" in letter.reason
