"""The way in from Apache Kafka: a member of a consumer group."""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kafka.structs import OffsetAndMetadata

from controlplane.settings import Settings
from controlplane.transport.kafka import client_config, create_topics
from controlplane.transport.kafka_membership import Membership
from controlplane.transport.kafka_records import read_anything
from controlplane.transport.port import Delivery, Standing, Unavailable
from schemas.kafka_binding import KafkaMessage

log = logging.getLogger(__name__)

NOT_MINE_ANY_MORE: Final = (
    CommitFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
"""The group has moved on: others get what was not committed again, and the inbox makes that harmless."""
MAX_POLL_RECORDS: Final = 100
"""Records that one poll of a consumer returns, at most."""
ANSWER_MS: Final = 5_000
"""Milliseconds that a question to a broker about offsets may take, and leaving the group."""


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
                consumer.commit(mine, timeout_ms=ANSWER_MS)
        except NOT_MINE_ANY_MORE as error:
            log.warning("offsets of %s were not committed: %s", self._group, error)
        except KafkaError as error:
            self._give_up(error)
            raise Unavailable(f"committing offsets: {error}") from error

    def standings(self) -> list[Standing]:
        consumer = self._consumer
        if consumer is None:
            return []
        try:
            ends = consumer.end_offsets(list(consumer.assignment()), timeout_ms=ANSWER_MS)
            found = [_standing(consumer, partition, end) for partition, end in ends.items()]
        except KafkaError as error:
            self._give_up(error)
            raise Unavailable(f"asking where {', '.join(self._topics)} ends: {error}") from error
        return [one for one in found if one is not None]

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._done.clear()
        self._resume_at.clear()
        if consumer is not None:
            with suppress(KafkaError):
                consumer.close(autocommit=False, timeout_ms=ANSWER_MS)
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
            read_anything()
            create_topics(self._settings)  # who joins before a topic exists looks again after 5 minutes only
            self._consumer = KafkaConsumer(
                **client_config(self._settings),
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                session_timeout_ms=10_000,
                allow_auto_create_topics=False,
                isolation_level="read_committed",
            )
            self._consumer.subscribe(self._topics, listener=self._membership)
        return self._consumer


def _standing(consumer: KafkaConsumer, partition: TopicPartition, end: int) -> Standing | None:
    position = consumer.position(partition, timeout_ms=ANSWER_MS)
    if position is None:
        return None
    # the answers come one after the other, and records in between
    end = max(end, position)
    return Standing(partition.topic, partition.partition, position, end, max(end, consumer.highwater(partition) or 0))


def _delivery(record: Any) -> Delivery:
    headers = tuple((name, value or b"") for name, value in record.headers)
    return Delivery(record.topic, record.partition, record.offset, KafkaMessage(record.key, record.value, headers))
