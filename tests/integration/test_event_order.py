"""Commit order is seq order: a reader that follows the feed by seq sees every committed fact once, under fire."""

import threading
from collections.abc import Callable

import pytest

from controlplane.store.database import Database
from controlplane.transport.event_log import last_seq, read_events
from tests.support.facts import announce
from tests.support.processes import Process, Processes
from tests.support.waiting import wait_for


class Follower(threading.Thread):
    """Reads after its cursor and never looks back."""

    def __init__(self, database: Database) -> None:
        super().__init__(daemon=True)
        self.database = database
        self.seen: list[tuple[int, str]] = []
        self.enough = threading.Event()

    def run(self) -> None:
        while not self.enough.wait(0.01):
            self.look()

    def look(self) -> None:
        while True:
            after = self.seen[-1][0] if self.seen else 0
            with self.database.read() as session:
                found = read_events(session, after, limit=500)
            if not found:
                return
            self.seen += [(event.seq, event.id) for event in found]


def committed_by(process: Process) -> list[str]:
    lines = process.output().split()
    assert "end" in lines, process.output()
    return [line for line in lines if len(line) == 36]


def test_a_follower_sees_every_committed_fact_once_and_in_order(
    open_database: Callable[[], Database], database_url: str, processes: Processes
) -> None:
    database = open_database()
    follower = Follower(database)
    follower.start()
    writers = [
        processes.python(name, "-m", "tests.support.event_writer", database_url, name, "10", "10")
        for name in ("w1", "w2")
    ]
    for writer in writers:
        assert writer.wait(90) == 0, writer.output()
    with database.read() as session:
        end = last_seq(session)
    wait_for(lambda: follower.seen and follower.seen[-1][0] == end, "the follower reaches the end")
    follower.enough.set()
    follower.join()
    committed = [fact for writer in writers for fact in committed_by(writer)]
    assert len(committed) > 100
    assert [seq for seq, _ in follower.seen] == sorted({seq for seq, _ in follower.seen})
    assert sorted(fact for _, fact in follower.seen) == sorted(committed)


@pytest.mark.postgres
def test_a_process_stopped_in_its_commit_does_not_stop_the_others(
    postgres_database: Database, processes: Processes
) -> None:
    follower = Follower(postgres_database)
    stopped = processes.python(
        "stopped", "-m", "tests.support.event_writer", postgres_database.url, "stopped", "1", "1", "stop"
    )
    wait_for(lambda: _is_stopped(stopped), "the process stops itself while it holds the commit lock")
    announce(postgres_database, "other", 0)  # waits for the idle transaction's end (5 s), within the lock's 10 s
    announce(postgres_database, "other", 1)
    follower.look()
    assert len(follower.seen) == 2
    stopped.resume()
    assert stopped.wait(90) == 0, stopped.output()
    follower.look()
    committed = committed_by(stopped)
    assert committed  # it went on with its later transactions
    assert [fact for _, fact in follower.seen[2:]] == committed


def _is_stopped(process: Process) -> bool:
    with open(f"/proc/{process.pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"
