"""A fresh, migrated database of either kind, for as long as a run lasts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controlplane.store.database import Database
from controlplane.store.schema import upgrade
from tests.support.postgres_server import PostgresServer


@contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[str]:
    """Its URL."""
    if kind == "sqlite":
        url = f"sqlite:///{folder / 'graftwork.db'}"
        database = Database(url)
        upgrade(database)
        database.close()
        yield url
        return
    server = PostgresServer.start_new()
    try:
        yield server.create_database()
    finally:
        server.remove()
