"""Brings the database to this code's schema, and says when code and schema do not fit."""

import time
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, text

from controlplane.errors import SchemaTooNew, SchemaTooOld
from controlplane.store.database import Database

SCHEMA_VERSION = 1
"""This code's schema. Grows with every migration."""
OLDEST_CODE = 1
"""The oldest code (its SCHEMA_VERSION) that works on this schema: grows only when a migration takes something away."""
UPGRADE_LOCK = 0x75706772


def alembic_config(connection: Connection | None = None) -> Config:
    """Built in code, so that migrations work from the installed package; `alembic.ini` is for developers."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def upgrade(database: Database) -> None:
    """Migrate under a lock of the database: of two processes that upgrade at once, one waits and finds it done."""
    with database.engine.connect().execution_options(immediate=True) as connection, connection.begin():
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
        if (found := _versions(connection)) and found[0] > SCHEMA_VERSION:
            return
        command.upgrade(alembic_config(connection), "head")
        connection.execute(text("DELETE FROM schema_info"))
        connection.execute(
            text("INSERT INTO schema_info (id, version, oldest_code) VALUES (1, :version, :oldest)"),
            {"version": SCHEMA_VERSION, "oldest": OLDEST_CODE},
        )


def check(database: Database) -> None:
    """Raise SchemaTooOld or SchemaTooNew when this code cannot work on that schema."""
    with database.read() as session:
        found = _versions(session.connection())
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


def _versions(connection: Connection) -> tuple[int, int] | None:
    if not inspect(connection).has_table("schema_info"):
        return None
    row = connection.execute(text("SELECT version, oldest_code FROM schema_info")).one_or_none()
    return (row[0], row[1]) if row else None
