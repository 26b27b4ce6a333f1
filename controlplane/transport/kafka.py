"""The way out to Apache Kafka, its topics, and what every client of ours is told; `kafka_source` is the way in."""

import time
from collections.abc import Sequence, Set
from contextlib import suppress
from typing import Any, Final

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import (
    InvalidRecordError,
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAlreadyExistsError,
    UnknownError,
    UnsupportedForMessageFormatError,
)

from controlplane.settings import Settings
from controlplane.transport.chunks import CHUNK_BYTES, Records, chunks_of
from controlplane.transport.port import HELD_BACK, Unavailable
from schemas.kafka_binding import KafkaMessage
from schemas.topics import ALL_TOPICS, PARTITIONS

REFUSALS: Final = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    InvalidRecordError,
    InvalidTopicError,
    UnsupportedForMessageFormatError,
)
"""What no repetition mends. Everything else passes, if only after somebody has given us the right to write."""
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


def _text(path: object) -> str | None:
    return None if path is None else str(path)
