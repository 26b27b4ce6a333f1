"""The doorbell of a site with Kafka: the jobs' topic itself."""

import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from schemas.event_formats import UnreadableEvent
from schemas.facts import JobRequested
from schemas.jobs import JobKind
from schemas.kafka_binding import KafkaMessage, from_message, payload_of
from schemas.topics import JOB
from workers.runtime.settings import WorkerSettings

PAUSE_SECONDS = 1.0


class KafkaDoorbell:
    """Every partition of the jobs' topic from now on, without a group: no rebalance, and no job behind another."""

    def __init__(self, settings: WorkerSettings, kinds: Collection[JobKind]) -> None:
        self._settings = settings
        self._kinds = frozenset(kinds)
        self._consumer: KafkaConsumer | None = None

    def wait(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            try:
                if self._consumer is None:
                    self._consumer = self._open()
                    return True  # what was requested before was not heard: ask once
                batches = self._consumer.poll(timeout_ms=int(left * 1000))
                if any(self._is_for_us(record) for records in batches.values() for record in records):
                    return True
            except KafkaError:
                self.close()
                time.sleep(min(PAUSE_SECONDS, left))
        return False

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaError):
                consumer.close(timeout_ms=2_000)

    def _open(self) -> KafkaConsumer:
        consumer = KafkaConsumer(**_client_config(self._settings))
        try:
            partitions = [TopicPartition(JOB, number) for number in sorted(consumer.partitions_for_topic(JOB) or ())]
            if not partitions:
                raise KafkaError(f"the topic {JOB} does not exist yet")
            consumer.assign(partitions)
            consumer.seek_to_end(*partitions)
            for partition in partitions:
                consumer.position(partition, timeout_ms=5_000)  # the end is where it is now, not at the first poll
        except KafkaError:
            consumer.close(timeout_ms=2_000)
            raise
        return consumer

    def _is_for_us(self, record: Any) -> bool:
        headers = tuple((name, value or b"") for name, value in record.headers)
        try:
            data = payload_of(from_message(KafkaMessage(record.key, record.value, headers)))
        except UnreadableEvent:
            return False
        return isinstance(data, JobRequested) and data.kind in self._kinds


def _client_config(settings: WorkerSettings) -> dict[str, Any]:
    password = settings.kafka_sasl_password
    files = {
        "ssl_cafile": settings.kafka_ssl_cafile,
        "ssl_certfile": settings.kafka_ssl_certfile,
        "ssl_keyfile": settings.kafka_ssl_keyfile,
    }
    given = {
        "bootstrap_servers": (settings.kafka_bootstrap_servers or "").split(","),
        "security_protocol": settings.kafka_security_protocol,
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
        **{name: str(file) if file else None for name, file in files.items()},
        "reconnect_backoff_max_ms": 1000,  # the default of 30 s is how long a broker's restart would hurt
        "bootstrap_timeout_ms": 5_000,
        "request_timeout_ms": 5_000,
        "allow_auto_create_topics": False,
        "enable_auto_commit": False,  # there is no group to commit for
        "client_id": "graftwork-worker",
    }
    return {name: value for name, value in given.items() if value is not None}
