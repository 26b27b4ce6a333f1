"""A raw consumer: `python -m tests.trials.bench.listener BOOTSTRAP_SERVERS TOPIC` says when it had each record.

A line `VALUE NOW NOW` (nanoseconds by the wall clock); the first one is `ready 0 0`.
"""

import sys
import time

from kafka import KafkaConsumer, TopicPartition


def main(bootstrap_servers: str, topic: str) -> None:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False)
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(partitions)
    consumer.seek_to_end(*partitions)
    for partition in partitions:
        consumer.position(partition)
    sys.stdout.write("ready 0 0\n")
    while True:
        for records in consumer.poll(timeout_ms=1000).values():
            for record in records:
                now = time.time_ns()
                sys.stdout.write(f"{record.value.decode()} {now} {now}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
