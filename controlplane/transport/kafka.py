"""Apache Kafka behind the transport's port: with its helpers, all of the control plane that meets the client."""

import logging
import time
from collections.abc import Sequence, Set
from contextlib import suppress
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    InvalidRecordError,
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RebalanceInProgressError,
    RecordListTooLargeError,
    TopicAlreadyExistsError,
    UnknownError,
    UnknownMemberIdError,
    UnsupportedForMessageFormatError,
)
from kafka.structs import OffsetAndMetadata

from controlplane.settings import Settings
from controlplane.transport.chunks import CHUNK_BYTES, Records, chunks_of
from controlplane.transport.kafka_membership import Membership
from controlplane.transport.kafka_names import read_any_name
from controlplane.transport.port import HELD_BACK, Delivery, Unavailable
from schemas.kafka_binding import KafkaMessage
from schemas.topics import ALL_TOPICS, PARTITIONS

log = logging.getLogger(__name__)

REFUSALS: Final = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    InvalidRecordError,
    InvalidTopicError,
    UnsupportedForMessageFormatError,
)
"""What no repetition mends. Everything else passes, if only after somebody has given us the right to write."""
NOT_MINE_ANY_MORE: Final = (
    CommitFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
"""The group has moved on: others get what was not committed again, and the inbox makes that harmless."""
MAX_POLL_RECORDS: Final = 100
"""Of one poll of a consumer."""
ANSWER_SECONDS: Final = 15


def client_config(settings: Settings) -> dict[str, Any]:
    """What every client is told. `reconnect_backoff_max_ms`: the default of 30 s is how long a restart would hurt."""
    password = settings.kafka_sasl_password
    given = {
        "bootstrap_servers": (settings.kafka_bootstrap_servers or "").split(","),
        "security_protocol": settings.kafka_security_protocol,
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
        "ssl_cafile": _text(settings.kafka_ssl_cafile),
        "ssl_certfile": _text(settings.kafka_ssl_certfile),
        "ssl_keyfile": _text(settings.kafka_ssl_keyfile),
        "reconnect_backoff_max_ms": 1000,
        "bootstrap_timeout_ms": 10_000,
        "request_timeout_ms": 5_000,
        "client_id": "graftwork",
    }
    return {name: value for name, value in given.items() if value is not None}


def producer_config(settings: Settings) -> dict[str, Any]:
    """What our producers are told beside that."""
    return {
        **client_config(settings),
        "acks": "all",
        "enable_idempotence": True,
        "delivery_timeout_ms": 10_000,
        "max_block_ms": 10_000,
        "allow_auto_create_topics": False,
        # What is sent together is one batch a partition, and a batch is taken whole or not at all: so of one key
        # nothing gets ahead of a record whose outcome is not known. `flush` ends the wait for more.
        "batch_size": 2 * CHUNK_BYTES,
        "linger_ms": 4_000,
        # After a refusal this client sends no more; with one request under way nothing is on its way behind it.
        "max_in_flight_requests_per_connection": 1,
    }


def create_topics(settings: Settings) -> None:
    """Create the topics that are missing; those that exist keep their partitions and settings. Raises Unavailable."""
    try:
        admin = KafkaAdminClient(**client_config(settings))
        try:
            missing = sorted(set(ALL_TOPICS) - set(admin.list_topics()))
            for topic in missing:
                wanted = {"num_partitions": PARTITIONS, "replication_factor": settings.kafka_replication_factor}
                with suppress(TopicAlreadyExistsError):  # another process of ours was faster
                    admin.create_topics({topic: wanted}, wait_for_metadata=True)
        finally:
            admin.close()
    except KafkaError as error:
        raise Unavailable(f"creating topics: {error}") from error


class KafkaPublisher:
    """An idempotent producer, built when first needed and rebuilt after any failure that leaves an outcome unknown."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: KafkaProducer | None = None

    def publish(self, records: Records) -> list[str | None]:
        refused: set[bytes] = set()
        return [outcome for chunk in chunks_of(records) for outcome in self._publish_chunk(chunk, refused)]

    def _publish_chunk(self, chunk: Records, refused: set[bytes]) -> list[str | None]:
        """`refused` are the keys that wait: those of this chunk are added."""
        outcomes = self._publish(chunk, refused)
        for place, (_, message) in enumerate(chunk):
            if not outcomes[place]:
                continue
            if message.key in refused:
                outcomes[place] = HELD_BACK
            elif len(chunk) > 1:
                # One refusal makes an idempotent producer fail everything after it with the same words: ask alone.
                outcomes[place] = self._publish(chunk[place : place + 1], refused)[0]
            if outcomes[place] and message.key is not None:
                refused.add(message.key)
        return outcomes

    def _publish(self, records: Records, held: Set[bytes]) -> list[str | None]:
        try:
            producer, held = self._open(), set(held)
            futures = [self._send(producer, record, held) for record in records]
            _flush(producer, [future for future in futures if not isinstance(future, str)])
            outcomes = [self._outcome(future) for future in futures]
        except KafkaError as error:
            # Also after a fatal error (fenced, out of sequence), which this object would repeat for ever.
            self.close()
            raise Unavailable(f"publishing: {error}") from error
        if any(outcomes):
            self.close()
        return outcomes

    def _send(self, producer: KafkaProducer, record: tuple[str, KafkaMessage], held: set[bytes]) -> Any:
        """What will say how it went. A key that the client itself refuses is held from there on."""
        topic, message = record
        if message.key in held:
            return HELD_BACK
        try:
            return producer.send(topic, key=message.key, value=message.value, headers=list(message.headers))
        except REFUSALS as error:
            if message.key is not None:
                held.add(message.key)
            return str(error)

    def _outcome(self, sent: Any) -> str | None:
        if isinstance(sent, str):
            return sent
        try:
            sent.get(timeout=0)
        except REFUSALS as error:
            return str(error)
        return None

    def _open(self) -> KafkaProducer:
        if self._producer is None:
            self._producer = KafkaProducer(**producer_config(self._settings))
        return self._producer

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError):  # what was not acknowledged is sent again by the next one
                producer.close(timeout=15)


class KafkaSource:
    """A member of a consumer group that commits by hand, after the effect."""

    def __init__(self, settings: Settings, topics: Sequence[str], group: str) -> None:
        self._settings = settings
        self._topics = topics
        self._group = group
        self._consumer: KafkaConsumer | None = None
        self._membership = Membership()
        self._done: dict[TopicPartition, int] = {}
        self._resume_at: dict[TopicPartition, float] = {}

    def poll(self, seconds: float) -> list[Delivery]:
        if self._membership.is_lost:
            log.warning("%s joins its group anew: a rebalance did not end", self._group)
            self.close()
        try:
            consumer = self._open()
            self._resume_those_due(consumer)
            batches = consumer.poll(timeout_ms=int(seconds * 1000), max_records=MAX_POLL_RECORDS)
        except KafkaError as error:
            self._give_up(error)
            raise Unavailable(f"reading {', '.join(self._topics)}: {error}") from error
        return [_delivery(record) for records in batches.values() for record in records]

    def done(self, delivery: Delivery) -> None:
        self._done[TopicPartition(delivery.topic, delivery.partition)] = delivery.offset + 1

    def retry(self, delivery: Delivery, seconds: float) -> None:
        partition = TopicPartition(delivery.topic, delivery.partition)
        consumer = self._consumer
        if consumer is not None and partition in consumer.assignment():
            consumer.seek(partition, delivery.offset)
            consumer.pause(partition)
            self._resume_at[partition] = time.monotonic() + seconds

    def commit(self) -> None:
        done, self._done = self._done, {}
        consumer = self._consumer
        if consumer is None:
            return
        # A group accepts the commit of a partition that was taken from this member: never send one.
        mine = {p: OffsetAndMetadata(offset, "", -1) for p, offset in done.items() if p in consumer.assignment()}
        try:
            if mine:
                consumer.commit(mine, timeout_ms=5_000)
        except NOT_MINE_ANY_MORE as error:
            log.warning("offsets of %s were not committed: %s", self._group, error)
        except KafkaError as error:
            self._give_up(error)
            raise Unavailable(f"committing offsets: {error}") from error

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._done.clear()
        self._resume_at.clear()
        if consumer is not None:
            with suppress(KafkaError):
                consumer.close(autocommit=False, timeout_ms=5_000)
        self._membership = Membership()

    def _give_up(self, error: KafkaError) -> None:
        if not error.retriable:
            self.close()

    def _resume_those_due(self, consumer: KafkaConsumer) -> None:
        now = time.monotonic()
        for partition in [p for p, at in self._resume_at.items() if at <= now]:
            del self._resume_at[partition]
            if partition in consumer.assignment():
                consumer.resume(partition)

    def _open(self) -> KafkaConsumer:
        if self._consumer is None:
            read_any_name()
            create_topics(self._settings)  # who joins before a topic exists looks again after 5 minutes only
            self._consumer = KafkaConsumer(
                **client_config(self._settings),
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                session_timeout_ms=10_000,
                allow_auto_create_topics=False,
            )
            self._consumer.subscribe(self._topics, listener=self._membership)
        return self._consumer


def _flush(producer: KafkaProducer, futures: Sequence[Any]) -> None:
    """Returns when every outcome is known. A batch that the client splits in two ends its own flush too early."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            producer.flush(timeout=ANSWER_SECONDS)
        except (KafkaTimeoutError, UnknownError):
            if time.monotonic() >= deadline:
                raise
        if all(future.is_done for future in futures) or time.monotonic() >= deadline:
            return
        time.sleep(0.001)


def _delivery(record: Any) -> Delivery:
    headers = tuple((name, value or b"") for name, value in record.headers)
    return Delivery(record.topic, record.partition, record.offset, KafkaMessage(record.key, record.value, headers))


def _text(path: object) -> str | None:
    return None if path is None else str(path)
