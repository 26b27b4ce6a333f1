"""Cursors: how far the relay and the fact reader have come in the one order of events."""

from typing import Final

from sqlalchemy import update
from sqlmodel import Session, col, select

from controlplane.errors import LostLease
from controlplane.store.insert import insert_once
from controlplane.store.spine_tables import CursorRow
from controlplane.store.unit_of_work import UnitOfWork

FACTS: Final = "reactions.facts"
"""The cursor, and the lease, of our own reactions to our own facts."""


def cursor_of(session: Session, name: str) -> int:
    """The last seq that a reader is done with; 0 before it began."""
    return session.exec(select(CursorRow.seq).where(CursorRow.name == name)).one_or_none() or 0


def move_cursor(uow: UnitOfWork, name: str, seq: int, fence: int) -> None:
    """Everything up to `seq` is done. Raises LostLease when a later holder of the lease has moved it."""
    move = (
        update(CursorRow)
        .where(col(CursorRow.name) == name, col(CursorRow.fence) <= fence, col(CursorRow.seq) <= seq)
        .values(seq=seq, fence=fence)
    )
    if not uow.execute(move) and not insert_once(uow, CursorRow(name=name, seq=seq, fence=fence)):
        raise LostLease(f"another process has moved the cursor {name!r} under a later fence than {fence}")
