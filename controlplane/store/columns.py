"""Column types that mean the same on SQLite and on PostgreSQL."""

from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, Table, Text, Uuid, inspect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite has no such type: text that sorts as time does."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone reached the database")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Clock(FunctionElement[datetime]):
    """The database's time in a statement: when that statement asks, not when its transaction began."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(Clock, "postgresql")
def _clock_of_postgres(_element: Clock, _compiler: object, **_: Any) -> str:
    return "clock_timestamp()"


@compiles(Clock, "sqlite")
def _clock_of_sqlite(_element: Clock, _compiler: object, **_: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f', 'now')"


SEQUENCE = BigInteger().with_variant(Integer, "sqlite")
JSON_DOCUMENT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def moment(*, nullable: bool = False, index: bool = False) -> Any:
    """A column of one instant."""
    return Field(default=None, sa_type=UtcDateTime, nullable=nullable, index=index)


def document(*, nullable: bool = False) -> Any:
    """A column of JSON: replaced whole, never mutated in place."""
    return Field(default=None, sa_type=JSON_DOCUMENT, nullable=nullable)


def text(*, nullable: bool = False) -> Any:
    """A column of text without a length."""
    return Field(default=None, sa_type=Text, nullable=nullable)


def sequence() -> Any:
    """A primary key that the database counts; with `sqlite_autoincrement` a number is never used twice."""
    return Field(default=None, sa_type=SEQUENCE, primary_key=True)


def big(default: Any = ..., *, primary_key: bool = False) -> Any:
    """A 64-bit integer."""
    return Field(default=default, sa_type=SEQUENCE, primary_key=primary_key)


def identity() -> Any:
    """A UUID primary key."""
    return Field(default_factory=uuid4, sa_type=Uuid, primary_key=True)


def reference(target: str, *, nullable: bool = False, index: bool = True) -> Any:
    """A UUID foreign key."""
    return Field(default=None, foreign_key=target, nullable=nullable, index=index)


def table_of(row: type[SQLModel]) -> Table:
    """For statements without objects, which cost less."""
    return cast(Table, inspect(row).local_table)


__all__ = [
    "UUID",
    "Clock",
    "UtcDateTime",
    "big",
    "document",
    "identity",
    "moment",
    "reference",
    "sequence",
    "table_of",
    "text",
]
