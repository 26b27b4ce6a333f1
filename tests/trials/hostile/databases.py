"""A fresh, migrated database of either kind, for as long as a run lasts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.fresh_sqlite import fresh_sqlite
from tests.support.postgres_server import PostgresServer


@contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[str]:
    """Its URL."""
    if kind == "sqlite":
        yield fresh_sqlite(folder / "graftwork.db")
        return
    server = PostgresServer.start_new()
    try:
        yield server.create_database()
    finally:
        server.remove()
