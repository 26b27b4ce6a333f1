"""How often each delivery was tried: in the database before the try, so that a death in the middle counts too."""

from collections.abc import Sequence

from controlplane.commands.spine import in_flight
from controlplane.commands.spine.in_flight import TopicPartitionOffset, topic_partition_offset
from controlplane.store.database import Database
from controlplane.store.unit_of_work import UnitOfWork
from controlplane.transport.port import Delivery


class Tries:
    """How often one consumer has begun each delivery. A batch is noted in one write before its first effect; what was
    noted and never put down is begun alone from then on."""

    def __init__(self, database: Database, consumer: str) -> None:
        self._database = database
        self._consumer = consumer
        self._alone: set[TopicPartitionOffset] = set()
        self._begun: dict[TopicPartitionOffset, int] = {}
        """Tries that a fault which passes has interrupted: going on is not another one."""

    def take(self, deliveries: Sequence[Delivery]) -> None:
        """Before the first effect of a batch."""
        with self._database.begin(self._consumer) as uow:
            self._alone |= in_flight.take(uow, self._consumer, deliveries)

    def take_alone(self, delivery: Delivery) -> None:
        """One that was brought back: whose fault a death is needs no finding out."""
        self.take([delivery])
        self._alone.add(topic_partition_offset(delivery))

    def begin(self, delivery: Delivery) -> int:
        """Which try this one is; 0 while it is one of a batch that nobody has died of."""
        here = topic_partition_offset(delivery)
        if here not in self._alone:
            return 0
        if here not in self._begun:
            self._begun[here] = self._count(delivery)
        return self._begun[here]

    def failed(self, delivery: Delivery) -> int:
        """Which try has failed; the next one is another."""
        here = topic_partition_offset(delivery)
        self._alone.add(here)
        return self._begun.pop(here, 0) or self._count(delivery)

    def put_down(self, uow: UnitOfWork, delivery: Delivery) -> None:
        """In the transaction that is the delivery's exit."""
        in_flight.put_down(uow, self._consumer, delivery)

    def ended(self, delivery: Delivery) -> None:
        """That transaction has committed."""
        here = topic_partition_offset(delivery)
        self._alone.discard(here)
        self._begun.pop(here, None)

    def _count(self, delivery: Delivery) -> int:
        with self._database.begin(self._consumer) as uow:
            return in_flight.begin(uow, self._consumer, delivery)
