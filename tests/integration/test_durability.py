"""What was committed outlives a loss of power: SQLite waits for the disk at every commit, on every connection."""

from sqlalchemy import text

from controlplane.store.database import Database

FULL = 2
"""`PRAGMA synchronous`: in WAL mode NORMAL (1) does not wait for the disk when it commits."""


def test_every_connection_waits_for_the_disk(sqlite_database: Database) -> None:
    opened = [sqlite_database.engine.connect() for _ in range(12)]  # more than the pool keeps
    try:
        assert {one.execute(text("PRAGMA synchronous")).scalar() for one in opened} == {FULL}
        assert {one.execute(text("PRAGMA journal_mode")).scalar() for one in opened} == {"wal"}
    finally:
        for one in opened:
            one.close()


def test_a_unit_of_work_and_a_look_have_the_same_settings(sqlite_database: Database) -> None:
    with sqlite_database.begin("test") as uow:
        assert uow.session.connection().execute(text("PRAGMA synchronous")).scalar() == FULL
    with sqlite_database.read() as session:
        assert session.connection().execute(text("PRAGMA synchronous")).scalar() == FULL
