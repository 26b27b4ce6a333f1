"""Rows, no behaviour: the event log and what its readers and writers remember. No row of another file is referenced."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from controlplane.store.columns import big, document, identity, moment, sequence
from controlplane.store.columns import text as text_column


class SchemaInfoRow(SQLModel, table=True):
    """One row: which schema this is, and the oldest code that it supports."""

    __tablename__ = "schema_info"
    id: int = Field(default=1, primary_key=True)
    version: int
    oldest_code: int


class EventRow(SQLModel, table=True):
    """A fact, in the one order. No foreign keys: they deadlock with the commit lock."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_type_seq", "type", "seq"), {"sqlite_autoincrement": True})
    seq: int | None = sequence()
    id: UUID = Field(unique=True)
    source: str
    type: str
    subject: str = Field(index=True)
    time: datetime = moment()
    correlationid: str = Field(index=True)
    causationid: str | None = None
    data: dict[str, Any] = document()


class InboxRow(SQLModel, table=True):
    """This consumer has had the effect of this event."""

    __tablename__ = "inbox"
    consumer: str = Field(primary_key=True, max_length=100)
    source: str = Field(primary_key=True, max_length=1024)
    event_id: str = Field(primary_key=True, max_length=255)
    at: datetime = moment(index=True)


class PrunedTypeRow(SQLModel, table=True):
    """How far the facts of a type have been forgotten: a cursor before that has missed one."""

    __tablename__ = "pruned_type"
    type: str = Field(primary_key=True, max_length=100)
    seq: int = big()


class InFlightRow(SQLModel, table=True):
    """A delivery that a consumer has taken and not brought to an exit yet, and how often it was begun alone."""

    __tablename__ = "in_flight"
    consumer: str = Field(primary_key=True, max_length=100)
    topic: str = Field(primary_key=True, max_length=249)
    partition: int = Field(primary_key=True)
    offset: int = big(primary_key=True)
    tries: int = 0
    at: datetime = moment(index=True)


class CursorRow(SQLModel, table=True):
    """How far a reader of the event log has come."""

    __tablename__ = "cursor"
    name: str = Field(primary_key=True, max_length=100)
    seq: int = big(0)
    fence: int = 0


class PartitionRow(SQLModel, table=True):
    """How far a consumer group of ours has read a partition that others write to, as its reader last told."""

    __tablename__ = "partition"
    consumer: str = Field(primary_key=True, max_length=100)
    topic: str = Field(primary_key=True, max_length=249)
    partition: int = Field(primary_key=True)
    position: int = big()
    end: int = big()
    high_watermark: int = big()
    moved_at: datetime = moment()
    at: datetime = moment()


class LeaseRow(SQLModel, table=True):
    """Who is the one active relay, fact reader or reconciler. `fence` grows with every change of owner."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True, max_length=100)
    owner: str
    fence: int
    until: datetime = moment()


class ParkedEventRow(SQLModel, table=True):
    """A fact that the broker refuses for good; later facts of its subject wait behind it."""

    __tablename__ = "parked_event"
    seq: int = big(primary_key=True)
    subject: str = Field(index=True)
    reason: str
    at: datetime = moment()


class DeadLetterRow(SQLModel, table=True):
    """What could not be read or finished, as it came."""

    __tablename__ = "dead_letter"
    __table_args__ = (UniqueConstraint("topic", "partition", "offset"),)
    id: UUID = identity()
    consumer: str
    topic: str
    partition: int
    offset: int = big()
    key: bytes | None = Field(default=None, sa_type=LargeBinary)
    value: bytes | None = Field(default=None, sa_type=LargeBinary)
    headers: list[Any] = document()
    reason: str
    attempts: int = 1
    status: str = Field(default="Open", index=True)  # Open, Replayed, Discarded
    at: datetime = moment(index=True)
    closed_at: datetime | None = moment(nullable=True)
    closed_by: str | None = None


class IdempotencyRow(SQLModel, table=True):
    """What a request with this key was answered."""

    __tablename__ = "idempotency_key"
    principal: str = Field(primary_key=True, max_length=200)
    route: str = Field(primary_key=True, max_length=300)
    key: str = Field(primary_key=True, max_length=255)
    body_digest: str
    status: int
    headers: dict[str, str] = document()
    body: str = text_column()
    at: datetime = moment(index=True)


class TokenRow(SQLModel, table=True):
    """A bearer token, known by its hash only."""

    __tablename__ = "token"
    id: UUID = identity()
    name: str
    role: str
    hash: str = Field(unique=True)
    created_at: datetime = moment()
    created_by: str
    revoked_at: datetime | None = moment(nullable=True)
    bootstrap: bool | None = Field(default=None, unique=True)  # at most one row says True: the guard that mints it once
