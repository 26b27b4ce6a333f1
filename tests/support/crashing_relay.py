"""A relay process that dies by SIGKILL after the broker has acknowledged a batch and before the cursor moves.

`python -m tests.support.crashing_relay DATABASE_URL BOOTSTRAP_SERVERS`
"""

import os
import signal
import sys
from collections.abc import Sequence

from controlplane.commands.spine.singleton import Singleton
from controlplane.relay import Relay
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.transport.kafka import KafkaPublisher
from schemas.kafka_binding import KafkaMessage


class Deadly(KafkaPublisher):
    def publish(self, records: Sequence[tuple[str, KafkaMessage]]) -> list[str | None]:
        super().publish(records)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


if __name__ == "__main__":
    database = Database(sys.argv[1])
    settings = Settings(kafka_bootstrap_servers=sys.argv[2])
    Relay(database, Deadly(settings), Singleton(database, "relay", 1)).step()
