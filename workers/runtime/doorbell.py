"""Hears that there may be work, on Kafka or on the event feed over HTTP; a ring may be missed, the claim decides.

On Kafka it reads every partition and joins no group: no rebalance, and no job waits behind another in a partition.
"""

import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from schemas.events import JobRequested
from schemas.kafka_binding import KafkaMessage, UnreadableEvent, from_message, payload_of
from schemas.topics import JOB

LONGEST_POLL_SECONDS: Final = 25.0
RETRY_SECONDS: Final = 1.0


class Doorbell(Protocol):
    def wait(self, timeout: float) -> bool:
        """True as soon as a job of our kinds may be there, at once when rings may have been missed; else False.

        Never raises for an outage: a worker that polls slowly besides needs no bell.
        """

    def close(self) -> None: ...


@dataclass(frozen=True)
class KafkaAccess:
    """Where the broker is and how to sign in; the fields are those of GRAFTWORK_KAFKA_*."""

    bootstrap_servers: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None


class FeedDoorbell:
    """Long-polls `GET /v1/doorbell`. The client carries base URL and token."""

    def __init__(self, client: httpx.Client, kinds: Collection[str]) -> None:
        self._client = client
        self._kinds = frozenset(kinds)
        self._after: int | None = None

    def wait(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            try:
                if self._rings(left):
                    return True
            except (httpx.HTTPError, ValueError):
                self._after = None
                time.sleep(min(RETRY_SECONDS, left))
        return False

    def close(self) -> None:
        """The client belongs to the caller."""

    def _rings(self, left: float) -> bool:
        if self._after is None:
            self._after = self._ask({})["last"]
            return True  # whatever was requested before this place was not heard
        wait = min(left, LONGEST_POLL_SECONDS)
        page = self._ask({"after": self._after, "wait": wait}, wait)
        self._after = page["last"]
        return any(item["data"].get("kind") in self._kinds for item in page["items"])

    def _ask(self, query: dict[str, Any], wait: float = 0) -> dict[str, Any]:
        answer = self._client.get("/v1/doorbell", params=query, timeout=wait + 10)
        answer.raise_for_status()
        page: dict[str, Any] = answer.json()
        return page


class KafkaDoorbell:
    """Reads `job.requested` from now on, on every partition of the jobs' topic."""

    def __init__(self, access: KafkaAccess, kinds: Collection[str]) -> None:
        self._access = access
        self._kinds = frozenset(kinds)
        self._consumer: KafkaConsumer | None = None

    def wait(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            try:
                if self._consumer is None:
                    self._consumer = self._open()
                    return True  # whatever was requested before was not heard
                batches = self._consumer.poll(timeout_ms=int(left * 1000))
                if any(self._is_for_us(record) for records in batches.values() for record in records):
                    return True
            except KafkaError:
                self.close()
                time.sleep(min(RETRY_SECONDS, left))
        return False

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaError):
                consumer.close(timeout_ms=2_000)

    def _open(self) -> KafkaConsumer:
        consumer = KafkaConsumer(**_client_config(self._access))
        try:
            partitions = [TopicPartition(JOB, number) for number in sorted(consumer.partitions_for_topic(JOB) or ())]
            if not partitions:
                raise KafkaError(f"the topic {JOB} does not exist yet")
            consumer.assign(partitions)
            consumer.seek_to_end(*partitions)
            for partition in partitions:
                consumer.position(partition, timeout_ms=5_000)  # now, not at the first poll: a ring between is heard
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


def _client_config(access: KafkaAccess) -> dict[str, Any]:
    given = {
        "bootstrap_servers": access.bootstrap_servers.split(","),
        "security_protocol": access.security_protocol,
        "sasl_mechanism": access.sasl_mechanism,
        "sasl_plain_username": access.sasl_username,
        "sasl_plain_password": access.sasl_password,
        "ssl_cafile": access.ssl_cafile,
        "ssl_certfile": access.ssl_certfile,
        "ssl_keyfile": access.ssl_keyfile,
        "reconnect_backoff_max_ms": 1000,  # the default of 30 s is how long a broker's restart would hurt
        "bootstrap_timeout_ms": 5_000,
        "request_timeout_ms": 5_000,
        "allow_auto_create_topics": False,
        "client_id": "graftwork-worker",
    }
    return {name: value for name, value in given.items() if value is not None}
