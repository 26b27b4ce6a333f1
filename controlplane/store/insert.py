"""The insert that decides a race: of two at once, one row stays and the other caller is told."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel

from controlplane.store.columns import table_of
from controlplane.store.unit_of_work import UnitOfWork


def insert_once(uow: UnitOfWork, row: SQLModel) -> bool:
    """Insert a row unless a unique key of its table holds already; True when it was inserted.

    The row stays outside the session; a primary key that the database counted is put on it. On PostgreSQL a second
    writer waits until the first has committed or rolled back, so the answer is the final one.
    """
    table = table_of(type(row))
    keys = list(table.primary_key.columns)
    values: dict[str, Any] = {
        column.name: getattr(row, column.name)
        for column in table.columns
        if not (column.primary_key and getattr(row, column.name) is None)
    }
    build = sqlite.insert if uow.is_sqlite else postgresql.insert
    uow.session.flush()
    inserted = uow.session.execute(build(table).values(values).on_conflict_do_nothing().returning(*keys)).first()
    if inserted is None:
        return False
    for column, value in zip(keys, inserted, strict=True):
        setattr(row, column.name, value)
    return True


def insert_all_once(uow: UnitOfWork, rows: Sequence[SQLModel]) -> None:
    """Insert rows of one table, but for those whose key holds already. None of them is in the session."""
    if not rows:
        return
    table = table_of(type(rows[0]))
    values = [{column.name: getattr(row, column.name) for column in table.columns} for row in rows]
    build = sqlite.insert if uow.is_sqlite else postgresql.insert
    uow.session.flush()
    uow.session.execute(build(table).values(values).on_conflict_do_nothing())
