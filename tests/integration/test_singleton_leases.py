"""Singleton leases: one holder at a time, and a fence that a late one cannot pass."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from controlplane.commands.spine import singleton_leases
from controlplane.errors import LostLease
from controlplane.store.database import Database
from controlplane.store.unit_of_work import UnitOfWork


def acquire(database: Database, owner: str, seconds: float = 60) -> int | None:
    with database.begin("test") as uow:
        return singleton_leases.acquire(uow, "relay", owner, seconds)


def check(database: Database, owner: str, fence: int) -> None:
    with database.begin("test") as uow:
        singleton_leases.check_fence(uow, "relay", owner, fence)


def test_a_held_lease_is_renewed_by_its_owner_only(database: Database) -> None:
    fence = acquire(database, "a")
    assert fence == 1
    assert acquire(database, "b") is None
    assert acquire(database, "a") == fence
    check(database, "a", fence)


def test_an_expired_lease_changes_hands_with_a_higher_fence(database: Database) -> None:
    fence = acquire(database, "a", seconds=-1)
    assert fence == 1
    assert acquire(database, "b") == fence + 1
    with pytest.raises(LostLease):
        check(database, "a", fence)
    check(database, "b", fence + 1)


def test_a_lease_is_held_up_to_its_very_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second) for second in (0, 60, 60.001)]
    monkeypatch.setattr(UnitOfWork, "now", lambda _: moments[0])
    assert acquire(database, "a", seconds=60) == 1
    monkeypatch.setattr(UnitOfWork, "now", lambda _: moments[1])
    assert acquire(database, "b") is None
    monkeypatch.setattr(UnitOfWork, "now", lambda _: moments[2])
    assert acquire(database, "b") == 2


def test_an_owner_that_comes_back_has_lost_its_old_fence(database: Database) -> None:
    old = acquire(database, "a", seconds=-1)
    acquire(database, "b", seconds=-1)
    new = acquire(database, "a")
    assert (old, new) == (1, 3)
    check(database, "a", 3)
    with pytest.raises(LostLease):
        check(database, "a", 1)


def test_an_expired_lease_that_nobody_took_is_still_its_owners(database: Database) -> None:
    fence = acquire(database, "a", seconds=-1)
    assert fence is not None
    check(database, "a", fence)
    assert acquire(database, "a") == fence


def test_a_released_lease_is_free_at_once(database: Database) -> None:
    first = acquire(database, "a")
    with database.begin("test") as uow:
        singleton_leases.release(uow, "relay", "b")
    assert acquire(database, "b") is None
    with database.begin("test") as uow:
        singleton_leases.release(uow, "relay", "a")
    assert first is not None
    assert acquire(database, "b") == first + 1


def test_of_many_that_ask_at_once_one_gets_it(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        fences = list(pool.map(lambda n: acquire(database, f"owner-{n}"), range(24)))
    assert [fence for fence in fences if fence is not None] == [1]
