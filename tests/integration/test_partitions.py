"""How far an inbound partition is read: it has moved when its next offset is another, or when nothing waits."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from controlplane.commands.spine.partitions import note_standings
from controlplane.store.database import Database
from controlplane.store.spine_tables import PartitionRow
from controlplane.store.unit_of_work import UnitOfWork
from controlplane.transport.port import Standing

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


def test_a_partition_that_waits_has_not_moved_since_its_offset_changed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [(5, 5), (5, 5), (5, 6), (5, 9), (6, 9), (6, 9), (9, 9), (9, 9)]  # position, high watermark
    moved = []
    for second, (position, high) in enumerate(steps):
        now = NOON + timedelta(seconds=second)
        monkeypatch.setattr(UnitOfWork, "now", lambda _, now=now: now)
        with database.begin("test") as uow:
            note_standings(uow, "reactions", [Standing("t", 0, position, high, high), Standing("t", 1, 0, 0, 0)])
        with database.read() as session:
            row = session.exec(select(PartitionRow).where(PartitionRow.partition == 0)).one()
            moved.append((row.moved_at - NOON).total_seconds())
            assert (row.position, row.end, row.high_watermark, row.at) == (position, high, high, now)
    assert moved == [0, 1, 1, 1, 4, 4, 6, 7]
