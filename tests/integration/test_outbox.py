"""What leaves by the relay is what the feed says, and of one aggregate nothing overtakes what was refused."""

import json
from contextlib import closing

import pytest

from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.transport.chunks import CHUNK_BYTES, Records
from controlplane.transport.event_log import read_events, read_outbox
from controlplane.transport.kafka import KafkaPublisher, create_topics
from controlplane.transport.port import HELD_BACK, Unavailable
from schemas.kafka_binding import KafkaMessage, to_message
from schemas.topics import JOB, topic_of
from tests.support.broker import Broker
from tests.support.facts import announce
from tests.support.topics import published
from tests.support.waiting import wait_for


def outcomes_of(publisher: KafkaPublisher, records: Records) -> list[str | None]:
    """As the relay asks: all of it again while the broker does not answer, as one on a busy machine may for 10 s."""

    def attempt() -> list[str | None] | None:
        try:
            return publisher.publish(records)
        except Unavailable:
            return None

    return wait_for(attempt, "the broker takes them", seconds=90)


def test_a_fact_leaves_as_the_feed_tells_it(database: Database) -> None:
    for attempt, padding in enumerate(("", "ünï\t☃\\ \" '", "x" * 5000)):
        announce(database, "a", attempt, padding=padding)
    with database.read() as session:
        told, leaving = read_events(session, 0), read_outbox(session, 0, 100)
    assert [(fact.seq, fact.subject, fact.topic) for fact in leaving] == [
        (event.seq, event.subject, topic_of(event.type)) for event in told
    ]
    for fact, message in zip(leaving, map(to_message, told), strict=True):
        assert (fact.message.key, fact.message.headers) == (message.key, message.headers)
        assert json.loads(fact.message.value or b"") == json.loads(message.value or b"")


def test_the_outbox_is_read_after_a_place_and_not_beyond_its_limit(database: Database) -> None:
    for attempt in range(5):
        announce(database, "a", attempt)
    with database.read() as session:
        assert [fact.seq for fact in read_outbox(session, 1, 3)] == [2, 3, 4]


@pytest.mark.kafka
def test_many_records_of_one_key_arrive_in_order(kafka: Broker) -> None:
    settings = Settings(kafka_bootstrap_servers=kafka.bootstrap_servers)
    create_topics(settings)
    sizes = [10, CHUNK_BYTES // 3, 200, CHUNK_BYTES - 50, CHUNK_BYTES + 5000, 10, CHUNK_BYTES // 2, CHUNK_BYTES // 2, 3]
    records = [(JOB, KafkaMessage(b"one", str(n).encode().rjust(size), ())) for n, size in enumerate(sizes)]
    with closing(KafkaPublisher(settings)) as publisher:
        assert outcomes_of(publisher, records) == [None] * len(sizes)
    arrived = [int(record.value or b"") for record in published(kafka, JOB)]
    attempts = "".join(map(str, arrived)).split("0")[1:]  # one, if the broker was never away for long
    assert attempts[-1] == "12345678"
    assert all("12345678".startswith(attempt) for attempt in attempts), arrived


@pytest.mark.kafka
def test_what_the_client_itself_refuses_is_not_overtaken_either(kafka: Broker) -> None:
    settings = Settings(kafka_bootstrap_servers=kafka.bootstrap_servers)
    create_topics(settings)
    values = [("a", b"0"), ("a", b"1".rjust(3 * 2**20)), ("b", b"2"), ("a", b"3"), ("b", b"4")]
    records = [(JOB, KafkaMessage(key.encode(), value, ())) for key, value in values]
    with closing(KafkaPublisher(settings)) as publisher:
        outcomes = outcomes_of(publisher, records)
        assert "larger than" in (outcomes[1] or "")
        assert [outcomes[0], *outcomes[2:]] == [None, None, HELD_BACK, None]
    assert {record.value for record in published(kafka, JOB)} == {b"0", b"2", b"4"}
