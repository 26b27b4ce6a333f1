"""Says when this code and the database's schema do not fit."""

import time
from collections.abc import Callable

from sqlalchemy import Connection, inspect, text

from controlplane.errors import SchemaTooNew, SchemaTooOld
from controlplane.store.database import Database

SCHEMA_VERSION = 1
"""This code's schema. Grows with every migration."""
OLDEST_CODE = 1
"""The oldest code (its SCHEMA_VERSION) that works on this schema: grows only when a migration takes something away."""


def check(database: Database) -> None:
    """Raise SchemaTooOld or SchemaTooNew when this code cannot work on that schema."""
    with database.read() as session:
        found = versions(session.connection())
    version, oldest_code = found or (0, 0)
    if version < SCHEMA_VERSION:
        raise SchemaTooOld(f"the schema is at version {version}, this code needs {SCHEMA_VERSION}")
    if oldest_code > SCHEMA_VERSION:
        raise SchemaTooNew(f"the schema supports code from {oldest_code} on, this code is {SCHEMA_VERSION}")


def wait_until_current(database: Database, say: Callable[[str], None], poll_seconds: float = 1.0) -> None:
    """Wait, and say so once, while the schema is older than this code; raise SchemaTooNew at once."""
    said = False
    while True:
        try:
            return check(database)
        except SchemaTooOld as error:
            if not said:
                say(f"waiting: {error.detail}; run `graftwork db upgrade`")
                said = True
            time.sleep(poll_seconds)


def versions(connection: Connection) -> tuple[int, int] | None:
    """The schema's version and the oldest code that works on it; None: no schema of ours is there."""
    if not inspect(connection).has_table("schema_info"):
        return None
    row = connection.execute(text("SELECT version, oldest_code FROM schema_info")).one_or_none()
    return (row[0], row[1]) if row else None
