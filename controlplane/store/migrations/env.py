"""Alembic's entry: runs on the connection of `store/upgrade.py`, or on the URL of a developer's `alembic.ini`."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import JSON
from sqlmodel import AutoString, SQLModel

from controlplane.store import audit_tables, serving_tables, spine_tables, tables  # noqa: F401  (they fill the metadata)
from controlplane.store.columns import UtcDateTime
from controlplane.store.database import Database


def run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _migrate(connection)
        return
    database = Database(context.config.get_main_option("sqlalchemy.url") or "sqlite://")
    with database.engine.connect().execution_options(immediate=True) as opened, opened.begin():
        _migrate(opened)


def _render_our_types(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    if kind == "type" and isinstance(item, JSON):
        return "columns.JSON_DOCUMENT"
    if kind == "type" and isinstance(item, UtcDateTime):
        return "columns.UtcDateTime()"
    if kind == "type" and isinstance(item, AutoString):
        return "sa.String()"
    return False


def _migrate(connection: Any) -> None:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        compare_type=True,
        render_as_batch=True,
        transactional_ddl=True,
        render_item=_render_our_types,
    )
    context.run_migrations()


run()
