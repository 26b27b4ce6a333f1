"""The reactions process: our own facts by a cursor, and with Kafka inbound events by a consumer group."""

import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any

from controlplane.commands.automation.triggers import listened_types
from controlplane.commands.spine.cursors import FACTS
from controlplane.commands.spine.singleton import Singleton
from controlplane.reactions.consumer import Consumer
from controlplane.reactions.fact_source import FactSource
from controlplane.reactions.facts import REACTIONS
from controlplane.reactions.readers import fact_reaction, inbound_reaction
from controlplane.settings import Settings
from controlplane.store.database import Database
from schemas.topics import INBOUND, REACTIONS_GROUP


def run(database: Database, settings: Settings, stop: threading.Event) -> None:
    """Until told to stop, or until one of the readers cannot go on: then it raises, and is started again."""
    consumers = build(database, settings)
    with ThreadPoolExecutor(len(consumers), thread_name_prefix="reactions") as pool:
        running = {pool.submit(consumer.run, stop) for consumer in consumers}
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
        stop.set()
        for one in finished:
            one.result()


def build(database: Database, settings: Settings) -> list[Consumer[Any]]:
    """The readers of this mode. On Kafka each has a publisher of its own for copies of dead letters."""
    facts = FactSource(database, Singleton(database, FACTS, settings.singleton_lease_seconds), listened_types)
    if settings.kafka_bootstrap_servers is None:
        return [Consumer(database, facts, fact_reaction(REACTIONS), None)]
    # here: the client takes a quarter of a second to load, and the embedded mode does without
    from controlplane.transport.kafka import KafkaPublisher
    from controlplane.transport.kafka_source import KafkaSource

    inbound = KafkaSource(settings, [INBOUND], REACTIONS_GROUP)
    return [
        Consumer(database, facts, fact_reaction(REACTIONS), KafkaPublisher(settings)),
        Consumer(database, inbound, inbound_reaction(), KafkaPublisher(settings)),
    ]
