"""A reactions process that one message kills at each try."""

import os
import signal
from typing import Final

from controlplane.commands.spine.cursors import cursor_of
from controlplane.commands.spine.singleton import Singleton
from controlplane.continuations import open_database
from controlplane.reactions.consumer import Consumer
from controlplane.reactions.fact_source import FactSource
from controlplane.reactions.readers import fact_reaction
from controlplane.store.unit_of_work import UnitOfWork
from controlplane.transport.event_log import last_seq
from schemas.cloudevent import FeedEvent
from schemas.facts import EVENTS
from tests.support.transports import note

DEADLY: Final = "deadly"
MAX_TRIES: Final = 2
LEASE_SECONDS: Final = 0.5


def effect(uow: UnitOfWork, event: FeedEvent) -> None:
    if event.subject == f"job/{DEADLY}":
        os.kill(os.getpid(), signal.SIGKILL)
    note(uow, event)


def main(url: str) -> None:
    """Until everything is read."""
    database = open_database(url)
    source = FactSource(database, Singleton(database, "deadly", LEASE_SECONDS), lambda _: [e.TYPE for e in EVENTS])
    reaction = fact_reaction({event.TYPE: effect for event in EVENTS})
    consumer = Consumer(database, source, reaction, max_tries=MAX_TRIES, retry_seconds=0.01)
    with database.read() as session:
        end = last_seq(session)
    done = 0
    while done < end:
        consumer.replay()
        consumer.step(0.2)
        with database.read() as session:
            done = cursor_of(session, "deadly")
    source.close()
