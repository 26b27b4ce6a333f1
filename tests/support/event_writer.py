"""A process of several threads that commit facts, roll some back, and query after recording (which autoflushes).

`python -m tests.support.event_writer DATABASE_URL NAME THREADS SECONDS [stop]`: prints the id of every committed fact.
With `stop` it stops itself (SIGSTOP) in its first commit, between the commit lock and COMMIT.
"""

import random
import signal
import sys
import threading
import time

from sqlalchemy import event as hooks
from sqlmodel import Session, func, select

from controlplane.errors import Busy
from controlplane.store.database import Database
from controlplane.store.spine_tables import EventRow, TokenRow
from tests.support.facts import started


def write(database: Database, name: str, number: int, seconds: float, committed: list[str]) -> None:
    dice = random.Random(f"{name}-{number}")
    deadline = time.monotonic() + seconds
    attempt = 0
    while time.monotonic() < deadline or not committed:
        try:
            with database.begin(name) as uow:
                # a row that the query below flushes early; an event in the session would be flushed with it
                uow.session.add(TokenRow(name=name, role="viewer", hash=f"{name}-{number}-{attempt}",
                                         created_at=uow.now(), created_by=name))  # fmt: skip
                fact = uow.record(started(f"{name}-{number}", attempt), f"job/{name}-{number}")
                uow.session.exec(select(func.count()).select_from(EventRow)).one()
                if dice.random() < 0.5:
                    time.sleep(dice.random() * 0.02)
                if dice.random() < 0.2:
                    raise ArithmeticError
            committed.append(str(fact))
        except (ArithmeticError, Busy):
            pass
        attempt += 1


def stop_in_the_first_commit() -> None:
    def before_commit(_session: Session) -> None:
        # to this thread: one sent to the process may reach the main thread after this one has committed
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    hooks.listen(Session, "before_commit", before_commit, once=True)


if __name__ == "__main__":
    url, name, threads, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    database = Database(url, pool_size=threads)
    if sys.argv[5:] == ["stop"]:
        stop_in_the_first_commit()
    committed: list[str] = []
    writers = [
        threading.Thread(target=write, args=(database, name, number, seconds, committed)) for number in range(threads)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    sys.stdout.write("\n".join([*committed, "end", ""]))
