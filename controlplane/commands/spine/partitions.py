"""How far inbound partitions are read: noted by whoever reads them, for everybody who asks the API."""

from datetime import datetime

from controlplane.store.spine_tables import PartitionRow
from controlplane.store.unit_of_work import UnitOfWork
from controlplane.transport.port import Standing


def note_standings(uow: UnitOfWork, consumer: str, standings: list[Standing]) -> None:
    """One row a partition. It has moved when its next offset is another, or when nothing is left to read."""
    now = uow.now()
    for standing in standings:
        key = (consumer, standing.topic, standing.partition)
        before = uow.session.get(PartitionRow, key)
        row = PartitionRow(
            consumer=consumer,
            topic=standing.topic,
            partition=standing.partition,
            position=standing.position,
            end=standing.end,
            high_watermark=standing.high_watermark,
            moved_at=_moved_at(before, standing, now),
            at=now,
        )
        uow.session.merge(row)


def _moved_at(before: PartitionRow | None, standing: Standing, now: datetime) -> datetime:
    waits = standing.position < standing.high_watermark
    return before.moved_at if before and waits and before.position == standing.position else now
