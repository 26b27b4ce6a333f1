"""One transaction of the control plane: state and the facts that announce it, together, in one order."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast
from uuid import UUID, uuid4

from sqlalchemy import CursorResult, Executable, insert, select, text
from sqlmodel import Session

from controlplane.errors import PayloadTooLarge
from controlplane.store.audit_chain import append_entries
from controlplane.store.columns import Clock, table_of
from controlplane.store.ended import Ended
from controlplane.store.spine_tables import EventRow
from schemas.cloudevent import MAX_EVENT_BYTES, EventData
from schemas.facts import AuditRecorded
from schemas.views.audit import AuditNote

COMMIT_LOCK = 0x67726166  # "graf": one advisory lock for the order of events
CHANNEL = "graftwork_fact"
TAKE_TURN = text(
    # One round trip while others wait: the lock, the bell of `store/bell.py`, and the time at which the lock was had.
    "WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(:key), pg_notify(:channel, '')) "
    "SELECT clock_timestamp() FROM turn"
).bindparams(key=COMMIT_LOCK, channel=CHANNEL)

INSERT_EVENT = insert(table_of(EventRow))
TIME = select(Clock())

AUDIT_SUBJECT = "audit/log"
"""One key on Kafka for all of them: readers get them in the chain's order."""
MOST_ENDS: Final = 10_000
"""Ends of one unit of work, of jobs and rollouts: more are a chain that never stops."""


@dataclass(frozen=True)
class Cause:
    """Which journey a change belongs to, and which event led to it."""

    correlationid: str
    causationid: str | None = None


ContinueWith = Callable[["UnitOfWork", Ended], None]
"""Lets whatever waits for an end go on, in the transaction of that end."""


class UnitOfWork:
    """Rolls back unless told to commit. Only `Database.begin` builds and commits one.

    Facts are kept in a list, not in the session: autoflush would draw their `seq` early, and then seq order would
    not be commit order (a reader lost a row that way).
    """

    source = "graftwork"
    """CloudEvents source of our facts."""

    def __init__(
        self, session: Session, *, actor: str, cause: Cause | None = None, continue_with: ContinueWith | None = None
    ) -> None:
        self.session = session
        self.actor = actor
        self.cause = cause
        self._continue_with = continue_with
        self._events: list[dict[str, Any]] = []
        self._notes: list[AuditNote] = []
        self._ends: deque[tuple[Ended, str, Cause | None]] = deque()

    @property
    def is_sqlite(self) -> bool:
        return self.session.get_bind().dialect.name == "sqlite"

    def now(self) -> datetime:
        """The database's time, aware, in UTC: the only clock that decides anything."""
        return database_time(self.session)

    def record(self, data: EventData, subject: str, cause: Cause | None = None) -> UUID:
        """Announce a fact with this transaction; answers its id, to be the cause of what follows from it.

        Raises PayloadTooLarge when the fact is larger than 256 KiB.
        """
        body = data.model_dump(mode="json")
        size = len(data.model_dump_json().encode())
        if size > MAX_EVENT_BYTES:
            raise PayloadTooLarge(f"{data.TYPE}: {size} bytes of event data, at most {MAX_EVENT_BYTES} may travel")
        cause = cause or self.cause
        event_id = uuid4()
        self._events.append(
            {
                "id": event_id,
                "source": self.source,
                "type": data.TYPE,
                "subject": subject,
                "correlationid": cause.correlationid if cause else str(event_id),
                "causationid": cause.causationid if cause else None,
                "data": body,
            }
        )
        return event_id

    def note(self, note: AuditNote) -> None:
        """Put an entry into the audit log with this transaction, and announce it as a fact after all others."""
        self._notes.append(note)

    def has_ended(self, ended: Ended) -> None:
        """Whatever waits for this end goes on before the commit, on behalf of whoever acts now.

        Raises RuntimeError on a database that was opened without its continuations: nothing would go on.
        """
        if self._continue_with is None:
            raise RuntimeError(f"{type(ended).__name__}: this database was opened without its continuations")
        self._ends.append((ended, self.actor, self.cause))

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Whatever fails in it leaves nothing behind, neither rows nor facts, and this unit of work may go on."""
        recorded, ended = len(self._events), len(self._ends)
        try:
            with self.session.begin_nested():
                yield
        except BaseException:
            del self._events[recorded:]
            while len(self._ends) > ended:
                self._ends.pop()
            raise

    def execute(self, statement: Executable) -> int:
        """Run one INSERT, UPDATE or DELETE and answer how many rows it touched: the check of a compare-and-swap."""
        result = cast(CursorResult[Any], self.session.execute(statement))
        return result.rowcount

    def commit(self) -> bool:
        """Let go on what waited for an end, flush, take the commit lock, write audit entries and facts, commit.

        True when a fact was announced.
        """
        self._go_on()
        self.session.flush()
        if self._events or self._notes:
            at = self._take_turn()
            self._audit(at)
            # One row after another, so that `seq` has their order; without objects, which cost more than the insert.
            self.session.connection().execute(INSERT_EVENT, [{**event, "time": at} for event in self._events])
        self.session.commit()
        return bool(self._events)

    def _go_on(self) -> None:
        """First come, first served, also what ends meanwhile. Raises RuntimeError for a chain that never stops."""
        actor, cause = self.actor, self.cause
        left = MOST_ENDS
        while self._ends and self._continue_with:
            if not left:
                raise RuntimeError(f"more than {MOST_ENDS} ends in one unit of work: they make each other")
            left -= 1
            ended, self.actor, self.cause = self._ends.popleft()
            self.session.flush()
            self._continue_with(self, ended)
        self.actor, self.cause = actor, cause

    def _audit(self, at: datetime) -> None:
        if not self._notes:
            return
        journey = self._events[0]["correlationid"] if self._events else None
        for entry in append_entries(self.session, self._notes, at, journey):
            told = entry.model_dump(mode="json", include=set(AuditRecorded.model_fields))
            self.record(AuditRecorded(entry_id=entry.id, **told), AUDIT_SUBJECT, Cause(entry.correlationid))

    def _take_turn(self) -> datetime:
        """From here to the end nobody else writes facts. SQLite has one writer: BEGIN IMMEDIATE was the lock."""
        if self.is_sqlite:
            return self.now()
        return cast(datetime, self.session.execute(TAKE_TURN).scalar_one()).astimezone(UTC)


def database_time(session: Session) -> datetime:
    """The database's clock. On PostgreSQL `clock_timestamp()`: `now()` stands still within a transaction."""
    return cast(datetime, session.execute(TIME).scalar_one())
