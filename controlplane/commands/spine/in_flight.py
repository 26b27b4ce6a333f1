"""What a consumer has in its hands, and how often it began: a count that outlives the process that a message kills."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, tuple_, update
from sqlmodel import col, select

from controlplane.store.insert import insert_all_once
from controlplane.store.spine_tables import InFlightRow
from controlplane.store.unit_of_work import UnitOfWork
from controlplane.transport.port import Delivery

TopicPartitionOffset = tuple[str, int, int]
"""Where a record stands in Kafka: topic, partition and offset."""


def topic_partition_offset(delivery: Delivery) -> TopicPartitionOffset:
    return delivery.topic, delivery.partition, delivery.offset


def take(uow: UnitOfWork, consumer: str, deliveries: Sequence[Delivery]) -> set[TopicPartitionOffset]:
    """Note a batch before its first effect; answers those that were noted already.

    Somebody took those before and did not bring them to an exit: perhaps one of them ended the process. Which one is
    known only when each is begun alone.
    """
    places = [topic_partition_offset(delivery) for delivery in deliveries]
    where = tuple_(col(InFlightRow.topic), col(InFlightRow.partition), col(InFlightRow.offset)).in_(places)
    query = select(InFlightRow.topic, InFlightRow.partition, InFlightRow.offset)
    found = uow.session.exec(query.where(InFlightRow.consumer == consumer, where))
    known = {(topic, partition, offset) for topic, partition, offset in found}
    now = uow.now()
    insert_all_once(
        uow,
        [
            InFlightRow(consumer=consumer, topic=topic, partition=partition, offset=offset, at=now)
            for topic, partition, offset in places
            if (topic, partition, offset) not in known
        ],
    )
    return known


def begin(uow: UnitOfWork, consumer: str, delivery: Delivery) -> int:
    """Count a try before it is made; answers which one it is."""
    uow.execute(update(InFlightRow).where(*_of(consumer, delivery)).values(tries=InFlightRow.tries + 1))
    tries = uow.session.exec(select(InFlightRow.tries).where(*_of(consumer, delivery))).first()
    return tries or 1  # no row: another member of the group has brought it to its exit in the meantime


def put_down(uow: UnitOfWork, consumer: str, delivery: Delivery) -> None:
    """It has its exit: in the transaction of its effect, wherever it has one."""
    uow.execute(delete(InFlightRow).where(*_of(consumer, delivery)))


def _of(consumer: str, delivery: Delivery) -> tuple[Any, ...]:
    return (
        col(InFlightRow.consumer) == consumer,
        col(InFlightRow.topic) == delivery.topic,
        col(InFlightRow.partition) == delivery.partition,
        col(InFlightRow.offset) == delivery.offset,
    )
