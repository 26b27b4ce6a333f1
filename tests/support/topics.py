"""Reads topics from outside, as anybody may."""

import time
from contextlib import closing

from kafka import KafkaConsumer

from schemas.kafka_binding import KafkaMessage
from tests.support.broker import Broker
from tests.support.waiting import wait_for


def published(broker: Broker, *topics: str) -> list[KafkaMessage]:
    """Everything on these topics, each partition in its order."""
    consumer = KafkaConsumer(*topics, bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest")
    with closing(consumer):
        ends: dict[object, int] = {}
        wait_for(lambda: consumer.poll(timeout_ms=100) or consumer.assignment(), "partitions are assigned")
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(consumer.assignment())
        found: list[KafkaMessage] = []
        deadline = time.monotonic() + 20
        while any(consumer.position(p) < end for p, end in ends.items()):
            assert time.monotonic() < deadline, "the topics could not be read to their end"
            for records in consumer.poll(timeout_ms=200).values():
                found += [KafkaMessage(r.key, r.value, tuple(r.headers)) for r in records]
        return found
