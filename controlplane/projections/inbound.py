"""How the readers of other people's events keep up, in figures and in words."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from controlplane.store.spine_tables import PartitionRow
from controlplane.store.unit_of_work import database_time

STUCK_AFTER: Final = timedelta(seconds=30)
"""A partition with records to read whose place has not changed for so long is stuck; so is one that nobody tells of."""


@dataclass(frozen=True)
class PartitionProgress:
    """How one partition is read."""

    row: PartitionRow
    now: datetime

    @property
    def lag(self) -> int:
        """Records that nobody has read, those of open transactions too."""
        return self.row.high_watermark - self.row.position

    @property
    def behind_open_transaction(self) -> int:
        """Those that may not be read yet: from the oldest open transaction on."""
        return self.row.high_watermark - self.row.end

    @property
    def silence(self) -> timedelta:
        return self.now - self.row.at

    @property
    def is_stuck(self) -> bool:
        return self.fault is not None

    @property
    def fault(self) -> str | None:
        """Why records wait, in words; None when they do not."""
        name = f"{self.row.topic}/{self.row.partition}"
        if self.silence > STUCK_AFTER:
            return f"{name}: no reactions process has told of it for {_seconds(self.silence)}"
        waited = self.now - self.row.moved_at
        if not self.lag or waited <= STUCK_AFTER:
            return None
        if self.row.position < self.row.end:
            return f"{name}: offset {self.row.position} has been tried for {_seconds(waited)}, {self.lag} records wait"
        return f"{name}: a producer's open transaction has held back {self.lag} offsets for {_seconds(waited)}"


def progress_of_partitions(session: Session) -> list[PartitionProgress]:
    """How far each partition has been read that a consumer group of ours has ever read."""
    now = database_time(session)
    rows = session.exec(select(PartitionRow).order_by(col(PartitionRow.topic), col(PartitionRow.partition)))
    return [PartitionProgress(row, now) for row in rows]


def lag(session: Session) -> int:
    """Records that nobody has read yet, over all partitions."""
    return sum(one.lag for one in progress_of_partitions(session))


def faults(session: Session) -> list[str]:
    """What `/readyz` says when other people's events are not read."""
    found = progress_of_partitions(session)
    if not found:
        return ["no reactions process has read other people's events yet"]
    return [one.fault for one in found if one.fault]


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"
