"""A SQLite database of today's schema, for whoever needs a file of his own."""

from pathlib import Path

from controlplane.store.database import Database
from controlplane.store.upgrade import upgrade


def fresh_sqlite(file: Path) -> str:
    """The new file's URL."""
    url = f"sqlite:///{file}"
    database = Database(url)
    try:
        upgrade(database)
    finally:
        database.close()
    return url
