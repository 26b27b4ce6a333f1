"""Every topic against the log: the same facts, the same content, each key in the log's order."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from controlplane.store.spine_tables import EventRow
from schemas.cloudevent import isoformat
from schemas.topics import FACT_TOPICS, topic_of
from tests.trials.chaos.invariants.view import Record, View, short

READ_SECONDS = 60.0


class TopicReader:
    """Reads on from where it stopped, as a stranger: assigned partitions, no group, none of our code."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers.split(",")
        self._positions: dict[TopicPartition, int] = defaultdict(int)

    def read(self) -> list[Record]:
        """What is new up to the present ends. Raises KafkaError while there is no broker."""
        consumer = KafkaConsumer(
            bootstrap_servers=self._servers, enable_auto_commit=False, reconnect_backoff_max_ms=1000
        )
        with closing(consumer):
            known = [(topic, consumer.partitions_for_topic(topic)) for topic in FACT_TOPICS]
            places = [TopicPartition(topic, number) for topic, numbers in known for number in sorted(numbers or ())]
            if not places:
                return []
            consumer.assign(places)
            for place in places:
                consumer.seek(place, self._positions[place])
            ends = consumer.end_offsets(places)
            return list(self._until(consumer, ends))

    def _until(self, consumer: Any, ends: dict[TopicPartition, int]) -> Iterator[Record]:
        deadline = time.monotonic() + READ_SECONDS
        while any(self._positions[place] < end for place, end in ends.items()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the topics could not be read to their ends within {READ_SECONDS:.0f} s")
            for place, records in consumer.poll(timeout_ms=200).items():
                for record in records:
                    self._positions[place] = record.offset + 1
                    yield _record(record)


def _record(found: Any) -> Record:
    headers = {name: (value or b"").decode(errors="replace") for name, value in found.headers}
    key = None if found.key is None else found.key.decode(errors="replace")
    return Record(found.topic, found.partition, found.offset, key, headers, found.value)


@dataclass(frozen=True)
class Fact:
    """What a record must say."""

    seq: int
    place: int
    """The how-manieth fact of its subject."""
    subject: str
    topic: str
    headers: dict[str, str]
    data: dict[str, Any]


class TopicsAgree:
    """At least once, and this is all that it allows:

    a fact may come again while the relay, its database or its broker were disturbed, but a key's first appearances are
    its facts in the log's order without a gap: a record is the next fact of its key or one that its key had before.
    """

    def __init__(self) -> None:
        self._facts: dict[str, Fact] = {}
        self._of_subject: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        """How many facts of a key have appeared."""
        self._missing: dict[str, int] = {}
        """Fact to seq, in the log and not yet on its topic."""
        self._partitions: dict[str, int] = {}

    def judge(self, view: View) -> Iterator[str]:
        if view.site.bootstrap_servers is None:
            return
        for row in view.facts:
            self._learn(row)
        for record in view.records:
            yield from self._judge(record, view)
        for fact_id, seq in self._missing.items():
            yield f"topics: fact {seq} ({self._facts[fact_id].subject}) is in the log and on no topic"
        self._missing.clear()

    def _learn(self, row: EventRow) -> None:
        self._of_subject[row.subject] += 1
        headers = {
            "ce_specversion": "1.0",
            "ce_id": str(row.id),
            "ce_source": row.source,
            "ce_type": row.type,
            "ce_subject": row.subject,
            "ce_time": isoformat(row.time),
            "ce_correlationid": row.correlationid,
            "content-type": "application/json",
        }
        if row.causationid is not None:
            headers["ce_causationid"] = row.causationid
        place = self._of_subject[row.subject]
        self._facts[str(row.id)] = Fact(row.seq or 0, place, row.subject, topic_of(row.type), headers, row.data)
        self._missing[str(row.id)] = row.seq or 0

    def _judge(self, record: Record, view: View) -> Iterator[str]:
        fact = self._facts.get(record.headers.get("ce_id", ""))
        if fact is None:
            kind = short(record.headers.get("ce_type", "no event"))
            yield f"topics: {record.place} ({kind} {record.headers.get('ce_id')}) is not in the log"
            return
        said = record.headers
        if (record.topic, record.key) != (fact.topic, fact.subject) or said != fact.headers:
            yield f"topics: {record.place} says another envelope than fact {fact.seq} of the log"
        if _json(record.value) != fact.data:
            yield f"topics: {record.place} says other data than fact {fact.seq} of the log"
        if self._partitions.setdefault(fact.subject, record.partition) != record.partition:
            yield f"topics: {record.place}: {fact.subject} is in two partitions"
        yield from self._in_order(record, fact, view)

    def _in_order(self, record: Record, fact: Fact, view: View) -> Iterator[str]:
        seen = self._seen[fact.subject]
        if fact.place <= seen and said_again_is_wrong(view):
            yield f"topics: {record.place} repeats fact {fact.seq} though nothing disturbed the relay"
        if fact.place > seen + 1:
            yield f"topics: {record.place} is fact {fact.place} of {fact.subject}, after its fact {seen}"
        self._seen[fact.subject] = max(seen, fact.place)
        self._missing.pop(record.headers["ce_id"], None)


def said_again_is_wrong(view: View) -> bool:
    return not view.expected.relay_disturbed


def _json(value: bytes | None) -> Any:
    try:
        return json.loads(value or b"null")
    except ValueError:
        return None
