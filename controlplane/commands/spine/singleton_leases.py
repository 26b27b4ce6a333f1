"""Singleton leases: one active relay, fact reader and reconciler, with a fence against the one that was too slow."""

from datetime import timedelta

from sqlalchemy import case, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select, update

from controlplane.errors import LostLease
from controlplane.store.spine_tables import LeaseRow
from controlplane.store.unit_of_work import UnitOfWork


def acquire(uow: UnitOfWork, name: str, owner: str, seconds: float) -> int | None:
    """Take the lease, or renew it, until so many seconds from now: its fence, or None while somebody else holds it.

    `owner` must be unique to one life of one process. The fence grows with every change of owner.
    """
    now = uow.now()
    insert = sqlite.insert if uow.is_sqlite else postgresql.insert
    statement = insert(LeaseRow).values(name=name, owner=owner, fence=1, until=now + timedelta(seconds=seconds))
    mine = col(LeaseRow.owner) == owner
    return uow.session.execute(
        statement.on_conflict_do_update(
            index_elements=["name"],
            set_={
                "owner": owner,
                "until": statement.excluded.until,
                "fence": case((mine, col(LeaseRow.fence)), else_=col(LeaseRow.fence) + 1),
            },
            where=or_(mine, col(LeaseRow.until) < now),
        ).returning(col(LeaseRow.fence)),
    ).scalar()


def check_fence(uow: UnitOfWork, name: str, owner: str, fence: int) -> None:
    """Raise LostLease unless this lease is still ours; if it is, nobody takes it before this transaction ends."""
    held = uow.session.exec(
        select(LeaseRow.name)
        .where(LeaseRow.name == name, LeaseRow.owner == owner, LeaseRow.fence == fence)
        .with_for_update()
    ).first()
    if held is None:
        raise LostLease(f"the lease {name!r} is no longer held by {owner!r} with fence {fence}")


def release(uow: UnitOfWork, name: str, owner: str) -> None:
    """Let go at once, so that a successor need not wait; harmless when it is not ours."""
    uow.execute(
        update(LeaseRow)
        .where(col(LeaseRow.name) == name, col(LeaseRow.owner) == owner)
        .values(until=uow.now() - timedelta(microseconds=1000), owner="")
    )
