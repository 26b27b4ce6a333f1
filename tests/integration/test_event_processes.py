"""The relay and the reactions as the processes that users start, in both modes."""

import subprocess
from contextlib import closing

import pytest
from kafka import KafkaProducer
from sqlmodel import select

from controlplane.commands.spine.cursors import FACTS, cursor_of
from controlplane.store.database import Database
from controlplane.store.tables import TriggerEvaluationRow
from controlplane.transport.event_log import last_seq
from schemas.cloudevent import InboundEvent
from schemas.kafka_binding import inbound_to_message
from schemas.topics import INBOUND
from tests.support.broker import Broker
from tests.support.facts import announce
from tests.support.processes import Process, Processes
from tests.support.waiting import wait_for


def start(processes: Processes, verb: str, database: Database, broker: Broker | None, number: int = 0) -> Process:
    env = {"GRAFTWORK_DATABASE_URL": database.url, "GRAFTWORK_SINGLETON_LEASE_SECONDS": "2"}
    if broker:
        env["GRAFTWORK_KAFKA_BOOTSTRAP_SERVERS"] = broker.bootstrap_servers
    return processes.python(f"{verb}-{number}", "-m", "controlplane", verb, env=env)


def reactions_are_done(database: Database) -> bool:
    with database.read() as session:
        return last_seq(session) > 0 and cursor_of(session, FACTS) == last_seq(session)


def heard(database: Database) -> list[str]:
    with database.read() as session:
        return [row.event_id for row in session.exec(select(TriggerEvaluationRow))]


@pytest.mark.e2e
def test_embedded_reactions_read_facts_and_go_on_after_a_kill(database: Database, processes: Processes) -> None:
    announce(database, "a", 0)
    first = start(processes, "reactions", database, None)
    wait_for(lambda: reactions_are_done(database), "the fact is read")
    first.kill()
    announce(database, "a", 1)
    second = start(processes, "reactions", database, None, 1)
    wait_for(lambda: reactions_are_done(database), "its successor takes over when the lease has expired")
    assert second.stop() == 0, second.output()


@pytest.mark.e2e
@pytest.mark.kafka
@pytest.mark.postgres
def test_relay_and_reactions_on_kafka(postgres_database: Database, kafka: Broker, processes: Processes) -> None:
    relay = start(processes, "relay", postgres_database, kafka)
    reactions = start(processes, "reactions", postgres_database, kafka)
    announce(postgres_database, "a", 0)
    wait_for(lambda: len(seen_from_outside(kafka, "graftwork.job")) == 1, "the fact is on Kafka", seconds=60)
    event = InboundEvent.model_validate({"specversion": "1.0", "id": "1", "source": "/crm", "type": "com.example.rows"})
    message = inbound_to_message(event)
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)) as producer:
        for _ in range(2):
            producer.send(INBOUND, key=message.key, value=message.value, headers=list(message.headers)).get(30)
    wait_for(lambda: heard(postgres_database) == ["1"], "the event had its effect", seconds=60)
    reactions.kill()
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)) as producer:
        later = inbound_to_message(event.model_copy(update={"id": "2"}))
        producer.send(INBOUND, key=later.key, value=later.value, headers=list(later.headers)).get(30)
    successor = start(processes, "reactions", postgres_database, kafka, 1)
    wait_for(lambda: heard(postgres_database) == ["1", "2"], "its successor hears the next one", seconds=60)
    facts = seen_from_outside(kafka, "graftwork.event")
    assert [type_in(line) for line in facts] == ["dev.graftwork.event.received.v1"] * len(facts)
    for process in (relay, successor):
        assert process.stop() == 0, process.output()


def seen_from_outside(broker: Broker, topic: str) -> list[str]:
    """What kcat shows: the headers of each message."""
    done = subprocess.run(
        ["kcat", "-b", broker.bootstrap_servers, "-C", "-t", topic, "-e", "-q", "-f", "%h\n"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.stdout.split()


def type_in(headers: str) -> str:
    return dict(part.split("=", 1) for part in headers.split(","))["ce_type"]
