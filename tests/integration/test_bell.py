"""Who waits for facts is woken by other processes' commits, also after the database has hung up on him."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text

from controlplane.store.bell import hearing
from controlplane.store.database import Database
from tests.support.facts import announce

LONG = 60
"""No poll is involved: only the bell can end this wait."""


@pytest.mark.postgres
def test_another_process_rings_and_does_so_again_after_an_outage(postgres_url: str) -> None:
    ours, theirs = Database(postgres_url), Database(postgres_url)
    heard = threading.Event()
    ours.on_commit.append(heard.set)
    try:
        with hearing(ours):
            assert heard.wait(LONG), "it rings once when it begins to listen"
            _rings(heard, lambda: announce(theirs, "a", 0))
            heard.clear()
            with theirs.begin("test") as uow:
                hang_up = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
                assert uow.session.execute(text(hang_up)).all() == [(True,)]
            assert heard.wait(LONG), "it listens again"
            _rings(heard, lambda: announce(theirs, "a", 1))
    finally:
        ours.close()
        theirs.close()


def _rings(heard: threading.Event, announcing: Callable[[], None]) -> None:
    heard.clear()
    announcing()
    assert heard.wait(LONG)
