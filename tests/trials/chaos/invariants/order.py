"""The log itself: one order, nothing that comes late or goes, every cause before its effect; and no secret in it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlmodel import SQLModel, col, func, or_, select

from controlplane.store.spine_tables import EventRow
from controlplane.store.tables import JobLogRow
from tests.trials.chaos.invariants.view import Record, View, short

REASONS: Final[tuple[Any, ...]] = tuple(
    column for table in SQLModel.metadata.sorted_tables for column in table.columns if column.name.endswith("reason")
)
"""Every column of every table that says why."""


class OneOrder:
    """A transaction that committed below a seq that a reader has passed is lost to every reader.

    PostgreSQL leaves gaps where a transaction rolled back; SQLite never does. On both, the number of facts up to a seq
    that was read once stays the same. Younger than the retention: nothing has been pruned.
    """

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._last = 0
        self._count = 0

    def judge(self, view: View) -> Iterator[str]:
        yield from self._nothing_changed_behind(view)
        for row in view.facts:
            seq = row.seq or 0
            if view.session.get_bind().dialect.name == "sqlite" and seq != self._last + 1:
                yield f"log: seq {seq} follows {self._last}: a fact is gone"
            if row.causationid is not None and row.causationid not in self._ids:
                yield f"log: {short(row.type)} {seq} was caused by {row.causationid}, which is not before it"
            self._ids.add(str(row.id))
            self._last, self._count = seq, self._count + 1

    def _nothing_changed_behind(self, view: View) -> Iterator[str]:
        found = view.session.exec(select(func.count()).where(col(EventRow.seq) <= self._last)).one()
        if found != self._count:
            yield f"log: {found} facts up to seq {self._last}, there were {self._count} when it was read"
            self._count = found


class NoSecrets:
    """Tokens and rows' texts are in no fact, no topic, no reason and no line of a job's log."""

    def __init__(self) -> None:
        self._line = 0

    def judge(self, view: View) -> Iterator[str]:
        secrets = [secret for secret in view.expected.secrets if secret]
        lines = view.session.exec(
            select(JobLogRow.seq, JobLogRow.line).where(col(JobLogRow.seq) > self._line).order_by(col(JobLogRow.seq))
        ).all()
        texts = [(f"fact {row.seq}", json.dumps(row.data, ensure_ascii=False)) for row in view.facts]
        texts += [(f"record {record.place}", _all_of(record)) for record in view.records]
        texts += [(f"log line {seq}", line) for seq, line in lines]
        self._line = max([self._line, *(seq or 0 for seq, _ in lines)])
        for where, found in texts:
            if any(secret in found for secret in secrets):
                yield f"secret: a token or a row's text is in {where}"
        yield from self._in_reasons(view, secrets)

    def _in_reasons(self, view: View, secrets: Sequence[str]) -> Iterator[str]:
        """Each time in all of them: whoever opens a thing again gives it another reason. The database searches."""
        for column in REASONS if secrets else ():
            found = or_(*(column.contains(secret, autoescape=True) for secret in secrets))
            if view.session.exec(select(column).where(found).limit(1)).first() is not None:
                yield f"secret: a token or a row's text is in a reason: {column.table.name}.{column.name}"


def _all_of(record: Record) -> str:
    """Its key, its headers and its value."""
    headers = (f"{name}={value}" for name, value in record.headers.items())
    return "\n".join([record.key or "", *headers, (record.value or b"").decode(errors="replace")])
