"""Messages that cannot be handled, on both databases: their tries are counted, whatever a try does to the process."""

import multiprocessing
import signal

import pytest
from sqlmodel import select

from controlplane.commands.spine import in_flight
from controlplane.commands.spine.dead_letters import replay_dead_letter
from controlplane.store.database import Database
from controlplane.store.spine_tables import DeadLetterRow, InFlightRow
from controlplane.store.tables import TriggerEvaluationRow
from controlplane.transport.port import Delivery
from schemas.kafka_binding import KafkaMessage
from tests.support import deadly_reactions
from tests.support.deadly_reactions import DEADLY, MAX_TRIES
from tests.support.facts import announce

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.support.deadly_reactions"])


def live(database: Database) -> int:
    """How one life of the process ended: by itself when it had read everything, or of the message."""
    process = FORKS.Process(target=deadly_reactions.main, args=(database.url,))
    process.start()
    process.join(120)
    assert process.exitcode is not None, "it still runs after 120 s"
    return process.exitcode


def heard(database: Database) -> list[str]:
    with database.read() as session:
        return sorted(row.outcome for row in session.exec(select(TriggerEvaluationRow)))


def letters(database: Database) -> list[DeadLetterRow]:
    with database.read() as session:
        return list(session.exec(select(DeadLetterRow)))


def test_each_consumer_has_its_own_hands(database: Database) -> None:
    """What one took and did not bring to its exit is no suspicion for another, nor is its count."""
    one, other = (Delivery("t", 0, offset, KafkaMessage(None, None, ())) for offset in (4, 5))
    with database.begin("test") as uow:
        assert in_flight.take(uow, "a", [one]) == set()
        assert in_flight.take(uow, "b", [one, other]) == set()
        tries = [in_flight.begin(uow, consumer, one) for consumer in ("a", "a", "b")]
        assert tries == [1, 2, 1]
        assert in_flight.take(uow, "a", [one, other]) == {in_flight.topic_partition_offset(one)}
        in_flight.put_down(uow, "a", one)
        assert in_flight.take(uow, "a", [one, other]) == {in_flight.topic_partition_offset(other)}
        assert in_flight.take(uow, "b", [one]) == {in_flight.topic_partition_offset(one)}


@pytest.mark.e2e
def test_a_message_that_kills_the_process_is_a_dead_letter_after_so_many_deaths(
    database: Database,
) -> None:
    for name in ("before", DEADLY, "after"):
        announce(database, name, 0)
    deaths = 0
    while live(database) == -signal.SIGKILL:
        deaths += 1
        assert deaths <= MAX_TRIES + 1
    assert deaths == MAX_TRIES + 1  # the first one in a batch, of which nobody could say whose fault it was
    (letter,) = letters(database)
    assert (letter.offset, letter.attempts) == (2, MAX_TRIES)
    assert "the process ended" in letter.reason
    assert heard(database) == ["job/after", "job/before"]
    with database.read() as session:
        assert session.exec(select(InFlightRow)).all() == []


@pytest.mark.e2e
def test_a_replay_that_kills_the_process_opens_the_letter_again(sqlite_database: Database) -> None:
    announce(sqlite_database, DEADLY, 0)
    while live(sqlite_database) == -signal.SIGKILL:
        pass
    (letter,) = letters(sqlite_database)
    with sqlite_database.begin("tester") as uow:
        replay_dead_letter(uow, letter.id)
    announce(sqlite_database, "after", 0)
    deaths = 0
    while live(sqlite_database) == -signal.SIGKILL:
        deaths += 1
        assert deaths <= MAX_TRIES
    (letter,) = letters(sqlite_database)
    assert deaths == MAX_TRIES
    assert letter.status == "Open"
    assert "the process ended" in letter.reason
    assert heard(sqlite_database) == ["job/after"]
