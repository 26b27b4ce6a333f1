"""Opens the database: SQLite in WAL mode or PostgreSQL, guarded so that one stopped process cannot freeze all."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DataError, DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

from controlplane.errors import Busy, GraftworkError, Invalid
from controlplane.store.unit_of_work import Cause, ContinueWith, UnitOfWork

BUSY_SECONDS = 10
PAUSE_SECONDS = 1.0
"""A connection that was used within it is taken to be alive; asking before every use was a round trip more."""
POSTGRES_GUARDS = (
    # A process that stops between lock and commit froze every other commit: seen.
    "-c idle_in_transaction_session_timeout=5000 -c lock_timeout=10000 -c timezone=UTC"
)
LOCK_STATES = frozenset({"55P03", "40001", "40P01", "25P03", "57P01"})
"""PostgreSQL: lock not available, serialization failure, deadlock, idle in transaction, terminated by the server."""

UNSTORABLE = "the database cannot hold one of the values: U+0000, half of a surrogate pair, or a number too large"


class Database:
    """One engine and its transactions. `on_commit` is called after a commit that announced something.

    Without `continue_with` nothing may end in it: `controlplane/continuations.py` opens one in which everything may.
    """

    def __init__(self, url: str, *, pool_size: int = 10, continue_with: ContinueWith | None = None) -> None:
        self.url = url
        self._continue_with = continue_with
        self.is_sqlite = url.startswith("sqlite")
        self.engine = _sqlite_engine(url, pool_size) if self.is_sqlite else _postgres_engine(url, pool_size)
        # PostgreSQL gives every statement a snapshot of its own anyway: BEGIN and ROLLBACK were two round trips.
        self._reading = self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self.on_commit: list[Callable[[], None]] = []

    @contextmanager
    def begin(self, actor: str, cause: Cause | None = None) -> Iterator[UnitOfWork]:
        """One writing unit of work: commits when the block ends, rolls back when it raises.

        Raises Busy (503) when the database's locks could not be had in time.
        """
        with (
            _trouble_is_said_so(),
            self.engine.connect() as connection,
            Session(connection.execution_options(immediate=True), autoflush=True, expire_on_commit=False) as session,
        ):
            uow = UnitOfWork(session, actor=actor, cause=cause, continue_with=self._continue_with)
            yield uow
            announced = uow.commit()
        if announced:
            self.ring()

    def ring(self) -> None:
        """Something was announced, here or by another process."""
        for hear in list(self.on_commit):
            hear()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """For queries, without a lock: on SQLite one snapshot, on PostgreSQL one a statement."""
        with _trouble_is_said_so(), Session(self._reading, autoflush=False, expire_on_commit=False) as session:
            yield session

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _trouble_is_said_so() -> Iterator[None]:
    """Busy for locks and for a database that is away; Invalid for a value that it cannot hold."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        if refusal := _refusal(error):
            raise refusal from error
        raise
    except (OverflowError, UnicodeEncodeError) as error:  # SQLite's driver, unwrapped
        raise Invalid(UNSTORABLE) from error


def _refusal(error: DBAPIError | PoolTimeout) -> GraftworkError | None:
    if isinstance(error, PoolTimeout):
        return Busy("all connections to the database are taken; nothing was changed")
    if getattr(error.orig, "sqlstate", None) in LOCK_STATES or "database is locked" in str(error.orig):
        return Busy("the database's locks were not free in time; nothing was changed")
    if isinstance(error, DataError):
        return Invalid(UNSTORABLE)
    if error.connection_invalidated or _could_not_connect(error):
        return Busy("the database is away")
    return None


def _could_not_connect(error: DBAPIError) -> bool:
    """psycopg's OperationalError without a state: no server answered, or the connection broke. SQLite's has none."""
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", "no such field") is None


def _sqlite_engine(url: str, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,  # an error's text goes to logs and dead letters: rows and token hashes do not
        pool_size=pool_size,
        max_overflow=20,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions: we do, below
        cursor = connection.cursor()
        _turn_to_wal(cursor)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that turns writer fails with "database is locked" at once, without waiting: seen.
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _turn_to_wal(cursor: sqlite3.Cursor) -> None:
    """SQLite's own timeout does not hold here: of several that open a new file at once, one was refused at once."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)


def _postgres_engine(url: str, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=20,
        connect_args={
            "options": POSTGRES_GUARDS,
            "keepalives": 1,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "connect_timeout": 10,
        },
    )

    @event.listens_for(engine, "checkin")
    def _remember(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ask_after_a_pause(connection: Any, record: Any, _proxy: object) -> None:
        # The server may have gone since: then all connections go, before anybody's work is lost on one.
        if time.monotonic() - record.info.get("used", float("inf")) > PAUSE_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise InvalidatePoolError(str(error)) from error

    return engine
