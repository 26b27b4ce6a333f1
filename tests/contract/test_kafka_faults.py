"""What only a broker can do to us: die, stop, refuse; and what its clients' deaths must not do."""

import signal
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from sqlmodel import select

from controlplane.commands.spine.dead_letters import discard_dead_letter, replay_dead_letter
from controlplane.reactions.consumer import Consumer
from controlplane.reactions.readers import InboundRecord, inbound_reaction
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.spine_tables import DeadLetterRow, ParkedEventRow
from controlplane.store.tables import TriggerEvaluationRow
from controlplane.transport import kafka_membership
from controlplane.transport.kafka import KafkaPublisher
from controlplane.transport.kafka_source import KafkaSource
from controlplane.transport.port import Unavailable
from schemas.cloudevent import InboundEvent
from schemas.kafka_binding import KafkaMessage, from_message, inbound_to_message, payload_of
from schemas.topics import ALL_TOPICS, DEAD_LETTER, FACT_TOPICS, INBOUND, JOB, PARTITIONS, REACTIONS_GROUP
from tests.support.broker import Broker
from tests.support.facts import announce
from tests.support.processes import Processes
from tests.support.topics import published
from tests.support.transports import Transport, effects
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]


@pytest.fixture
def transport(kafka: Broker, postgres_database: Database) -> Iterator[Transport]:
    made = Transport(postgres_database, Settings(kafka_bootstrap_servers=kafka.bootstrap_servers))
    made.prepare()
    yield made
    made.close()


def attempts_by_subject(messages: list[KafkaMessage]) -> dict[str, list[int]]:
    found = defaultdict(list)
    for message in messages:
        event = from_message(message)
        data = payload_of(event)
        assert data is not None
        found[event.subject].append(int(data.model_dump()["attempt"]))
    return dict(found)


def status_of_letters(database: Database) -> list[tuple[str, str, int]]:
    with database.read() as session:
        rows = session.exec(select(DeadLetterRow).order_by(DeadLetterRow.offset))  # type: ignore[arg-type]
        return [(row.consumer, row.status, row.offset) for row in rows]


def test_topics_are_created_with_their_partitions_and_a_second_time_harmlessly(
    transport: Transport, kafka: Broker
) -> None:
    transport.prepare()
    with closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)) as admin:
        described = {t["name"]: len(t["partitions"]) for t in admin.describe_topics(list(ALL_TOPICS))}
    assert described == dict.fromkeys(ALL_TOPICS, PARTITIONS)


def test_a_relay_killed_between_send_and_mark_repeats_and_no_effect_is_doubled(
    transport: Transport, kafka: Broker, processes: Processes
) -> None:
    for name in ("a", "b", "c"):
        announce(transport.database, name, 0)
    relay = processes.python(
        "relay", "-m", "tests.support.crashing_relay", transport.database.url, kafka.bootstrap_servers
    )
    assert relay.wait() == -signal.SIGKILL, relay.output()
    announce(transport.database, "a", 1)
    # its successor waits for the dead one's lease, then sends all of it again
    wait_for(lambda: transport.relays[0].step(), "the lease expires and the next relay works")
    sent = attempts_by_subject(published(kafka, *FACT_TOPICS))
    assert sent == {"job/a": [0, 0, 1], "job/b": [0, 0], "job/c": [0, 0]}
    transport.drain(transport.consumer(), lambda: len(effects(transport.database)) == 4, "four effects")
    assert sorted(effects(transport.database)) == [("job/a", 0), ("job/a", 1), ("job/b", 0), ("job/c", 0)]


def test_of_two_relays_one_works_and_the_other_takes_over(transport: Transport, kafka: Broker) -> None:
    second = transport.relay()
    announce(transport.database, "a", 0)
    assert transport.relays[0].step() == 1
    announce(transport.database, "a", 1)
    assert second.step() == 0
    transport.relays.pop(0).close()
    second._singleton.lose()  # its clock has not come round yet
    assert second.step() == 1
    assert attempts_by_subject(published(kafka, *FACT_TOPICS)) == {"job/a": [0, 1]}


def test_a_broker_killed_in_mid_flow_loses_nothing_and_doubles_no_effect(
    transport: Transport, mortal_kafka: Broker
) -> None:
    stop = threading.Event()

    def relay_for_ever() -> None:
        while not stop.is_set():
            try:
                transport.relays[0].step()
            except Unavailable:
                stop.wait(0.2)

    consumer = transport.consumer()
    threads = [threading.Thread(target=relay_for_ever), threading.Thread(target=consumer.run, args=(stop,))]
    for thread in threads:
        thread.start()
    try:
        for attempt in range(10):
            announce(transport.database, "a", attempt)
        wait_for(lambda: len(effects(transport.database)) >= 5, "the flow has begun")
        mortal_kafka.kill()
        for attempt in range(10, 20):
            announce(transport.database, "a", attempt)
        mortal_kafka.restart()
        wait_for(lambda: len(effects(transport.database)) >= 20, "the flow goes on", seconds=90)
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert effects(transport.database) == [("job/a", attempt) for attempt in range(20)]


def test_a_broker_that_is_down_for_longer_than_a_delivery_may_take_is_waited_for(
    transport: Transport, mortal_kafka: Broker
) -> None:
    announce(transport.database, "a", 0)
    transport.pump()
    announce(transport.database, "a", 1)
    mortal_kafka.pause()
    for _ in range(2):  # first a producer's delivery fails, then a new producer finds nobody
        with pytest.raises(Unavailable):
            transport.relays[0].step()
    mortal_kafka.resume()

    def relayed() -> bool:
        try:
            transport.relays[0].step()
        except Unavailable:
            return False
        return True

    wait_for(relayed, "the fact is relayed after all", seconds=90)
    sent = attempts_by_subject(published(mortal_kafka, *FACT_TOPICS))["job/a"]
    assert sent in ([0, 1], [0, 1, 1])  # twice if the stopped broker had taken it


def limit_messages(broker: Broker, topic: str, size: int) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)) as admin:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": str(size)})
        admin.alter_configs([resource], raise_on_unknown=False)


@pytest.fixture
def limited_kafka(kafka: Broker) -> Iterator[Broker]:
    """A broker whose limit of messages a test may change; later tests that make the topic again find the usual one."""
    yield kafka
    with closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)) as admin:
        admin.reset_configs(
            [ConfigResource(ConfigResourceType.TOPIC, "graftwork.job", configs=["max.message.bytes"])],
            raise_on_unknown=False,
        )


@pytest.mark.parametrize("way", ["replay", "discard"])
def test_a_fact_that_the_broker_refuses_holds_back_its_subject_only(
    transport: Transport, limited_kafka: Broker, way: str
) -> None:
    limit_messages(limited_kafka, "graftwork.job", 2000)
    announce(transport.database, "a", 0)
    announce(transport.database, "a", 1, padding="x" * 5000)
    for attempt in (2, 3):
        announce(transport.database, "a", attempt)
        announce(transport.database, "b", attempt)
    transport.pump()
    assert attempts_by_subject(published(limited_kafka, *FACT_TOPICS)) == {"job/a": [0], "job/b": [2, 3]}
    assert status_of_letters(transport.database) == [("relay", "Open", 2)]
    announce(transport.database, "a", 4)
    transport.pump()
    with transport.database.read() as session:
        letter = session.exec(select(DeadLetterRow)).one()
        assert [row.seq for row in session.exec(select(ParkedEventRow).order_by(ParkedEventRow.seq))] == [2, 3, 5, 7]  # type: ignore[arg-type]
    assert "larger than the max message size" in letter.reason or "MessageSizeTooLarge" in letter.reason
    if way == "replay":
        with transport.database.begin("ann") as uow:
            replay_dead_letter(uow, letter.id)
        transport.pump()  # the limit still stands
        assert status_of_letters(transport.database) == [("relay", "Open", 2)]
        limit_messages(limited_kafka, "graftwork.job", 100_000)
        with transport.database.begin("ann") as uow:
            replay_dead_letter(uow, letter.id)
    else:
        with transport.database.begin("ann") as uow:
            discard_dead_letter(uow, letter.id)
    wait_for(lambda: transport.relays[0].step() or True, "the relay works")
    transport.pump()
    expected = [0, 1, 2, 3, 4] if way == "replay" else [0, 2, 3, 4]
    assert attempts_by_subject(published(limited_kafka, *FACT_TOPICS))["job/a"] == expected
    with transport.database.read() as session:
        assert session.exec(select(ParkedEventRow)).all() == []


def test_a_killed_member_of_three_leaves_its_work_to_the_others(
    transport: Transport, kafka: Broker, processes: Processes
) -> None:
    members = [
        processes.python(
            f"member-{n}", "-m", "tests.support.group_member", transport.database.url, kafka.bootstrap_servers, "three"
        )
        for n in range(3)
    ]
    names = [f"n{number}" for number in range(12)]
    for name in names:
        announce(transport.database, name, 0)
    transport.pump()
    wait_for(lambda: len(effects(transport.database)) == 12, "the group works", seconds=90)
    members[0].kill()
    for attempt in range(1, 5):
        for name in names:
            announce(transport.database, name, attempt)
    transport.pump()
    wait_for(lambda: len(effects(transport.database)) >= 60, "the survivors do all of it", seconds=90)
    assert all(member.running for member in members[1:])
    found = effects(transport.database)
    assert len(found) == len(set(found)) == 60
    for name in names:
        assert [attempt for subject, attempt in found if subject == f"job/{name}"] == list(range(5))


def heard(database: Database) -> list[str]:
    with database.read() as session:
        rows = session.exec(select(TriggerEvaluationRow).order_by(TriggerEvaluationRow.seq))  # type: ignore[arg-type]
        return [row.event_id for row in rows]


def inbound_consumer(transport: Transport) -> Consumer[InboundRecord]:
    assert transport.settings is not None

    source = KafkaSource(transport.settings, [INBOUND], REACTIONS_GROUP)
    mirror = KafkaPublisher(transport.settings)
    consumer = Consumer(transport.database, source, inbound_reaction(), mirror, retry_seconds=0.01)
    transport.consumers.append(consumer)  # type: ignore[arg-type]
    return consumer


def test_somebody_elses_events_are_heard_once_and_what_is_none_is_a_dead_letter_and_its_copy(
    transport: Transport, kafka: Broker
) -> None:
    event = InboundEvent.model_validate(
        {"specversion": "1.0", "id": "42", "source": "/crm", "type": "com.example.rows"}
    )
    good = inbound_to_message(event)
    structured = KafkaMessage(
        None, b'{"specversion":"1.0","id":"43","source":"/crm","type":"t"}',
        (("content-type", b"application/cloudevents+json"),),
    )  # fmt: skip
    forged = KafkaMessage(b"k", b"{}", (*good.headers[:1], ("ce_type", b"dev.graftwork.job.succeeded.v1")))
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)) as producer:
        for message in (good, KafkaMessage(b"k", b"\xff\xfe garbage", ()), good, forged, structured):
            producer.send(
                INBOUND, key=message.key, value=message.value, headers=list(message.headers), partition=0
            ).get(30)
    consumer = inbound_consumer(transport)

    def finished() -> bool:
        consumer.step(0.2)
        return len(heard(transport.database)) == 2

    wait_for(finished, "both good events had their effect", seconds=60)
    assert heard(transport.database) == ["42", "43"]
    with transport.database.read() as session:
        letters = session.exec(select(DeadLetterRow).order_by(DeadLetterRow.offset)).all()  # type: ignore[arg-type]
    assert [(row.topic, row.partition, row.offset) for row in letters] == [(INBOUND, 0, 1), (INBOUND, 0, 3)]
    assert letters[0].value == b"\xff\xfe garbage"
    assert "expected JSON" in letters[0].reason
    assert "only its control plane" in letters[1].reason
    copies = published(kafka, DEAD_LETTER)
    assert [copy.value for copy in copies] == [b"\xff\xfe garbage", b"{}"]
    assert dict(copies[0].headers)["dead-letter-offset"] == b"1"
    # all five are done for good: a new member of the group is given none of them again
    consumer.source.close()
    transport.consumers.clear()
    again = inbound_consumer(transport)
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)) as producer:
        producer.send(INBOUND, value=b"last", partition=0).get(30)
    first = wait_for(lambda: again.source.poll(0.5), "the one that was sent since")
    assert [delivery.message.value for delivery in first] == [b"last"]


def test_a_rejoin_that_the_client_forgot_is_begun_anew(
    mortal_kafka: Broker, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_membership, "REJOIN_SECONDS", 2.0)
    source = transport.source("reader")
    assert isinstance(source, KafkaSource)
    consumer = transport.consumer(source=source)
    announce(transport.database, "a", 0)
    transport.pump()
    transport.drain(consumer, lambda: len(effects(transport.database)) == 1, "it has joined and reads")
    with closing(KafkaAdminClient(bootstrap_servers=mortal_kafka.bootstrap_servers)) as admin:
        admin.create_partitions({JOB: PARTITIONS + 1})
    client = source._consumer
    assert client is not None
    wait_for(
        lambda: client.topics() and len(client.partitions_for_topic(JOB)) > PARTITIONS, "it hears of the partition"
    )
    mortal_kafka.pause()  # so that the polls end before the answer to their request to join again
    for _ in range(3):
        source.poll(0.05)
    mortal_kafka.resume()
    announce(transport.database, "a", 1)
    transport.pump()
    transport.drain(consumer, lambda: len(effects(transport.database)) == 2, "it reads again")
    assert source._consumer is not client
