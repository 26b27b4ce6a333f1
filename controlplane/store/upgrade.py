"""Brings the database to this code's schema. Alembic is loaded by who migrates, not by who serves."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from controlplane.store.database import Database
from controlplane.store.schema import OLDEST_CODE, SCHEMA_VERSION, versions

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
        if (found := versions(connection)) and found[0] > SCHEMA_VERSION:
            return
        command.upgrade(alembic_config(connection), "head")
        connection.execute(text("DELETE FROM schema_info"))
        connection.execute(
            text("INSERT INTO schema_info (id, version, oldest_code) VALUES (1, :version, :oldest)"),
            {"version": SCHEMA_VERSION, "oldest": OLDEST_CODE},
        )
