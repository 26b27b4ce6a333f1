"""One member of a consumer group: has the counted effect for every fact until it is killed.

`python -m tests.support.group_member DATABASE_URL BOOTSTRAP_SERVERS GROUP`
"""

import sys
import threading

from controlplane.continuations import open_database
from controlplane.reactions.consumer import Consumer
from controlplane.reactions.readers import fact_reaction
from controlplane.settings import Settings
from controlplane.transport.kafka_source import KafkaSource
from schemas.facts import EVENTS
from schemas.topics import FACT_TOPICS
from tests.support.transports import note

if __name__ == "__main__":
    database = open_database(sys.argv[1])
    source = KafkaSource(Settings(kafka_bootstrap_servers=sys.argv[2]), FACT_TOPICS, sys.argv[3])
    Consumer(database, source, fact_reaction({event.TYPE: note for event in EVENTS})).run(threading.Event())
