"""Named leases and cursors: a fence grows with every change of owner, and nothing goes back."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from sqlmodel import select

from controlplane.store.spine_tables import CursorRow, LeaseRow
from tests.trials.chaos.invariants.view import View

LONGEST: Final = timedelta(minutes=5)
"""No singleton lease is set to be longer in these rounds."""


class NamedLeases:
    def __init__(self) -> None:
        self._fences: dict[str, tuple[str, int]] = {}
        """The last owner that is somebody, and its fence."""
        self._cursors: dict[str, tuple[int, int]] = {}

    def judge(self, view: View) -> Iterator[str]:
        for row in view.session.exec(select(LeaseRow)).all():
            yield from self._lease(view, row)
        leases = {row.name: row.fence for row in view.session.exec(select(LeaseRow)).all()}
        for cursor in view.session.exec(select(CursorRow)).all():
            seq, fence = self._cursors.get(cursor.name, (0, 0))
            if cursor.seq < seq or cursor.fence < fence:
                now = f"{cursor.seq} under fence {cursor.fence}"
                yield f"cursor {cursor.name}: it went back from {seq} under fence {fence} to {now}"
            if cursor.fence > leases.get(cursor.name, 0):
                yield f"cursor {cursor.name}: moved under fence {cursor.fence}, which nobody was given"
            self._cursors[cursor.name] = (cursor.seq, cursor.fence)

    def _lease(self, view: View, row: LeaseRow) -> Iterator[str]:
        owner, fence = self._fences.get(row.name, ("", 0))
        if row.fence < fence:
            yield f"lease {row.name}: its fence went back from {fence} to {row.fence}"
        if row.owner not in ("", owner) and owner and row.fence <= fence:
            yield f"lease {row.name}: {owner} and {row.owner} were both given fence {row.fence}"
        if row.until > view.now + LONGEST:
            yield f"lease {row.name}: it ends at {row.until}, long after now"
        if row.owner:
            self._fences[row.name] = (row.owner, row.fence)
