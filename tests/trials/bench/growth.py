"""What one job, one claim and one page cost when the tables hold a hundred times as much."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from sqlalchemy import insert, text
from sqlmodel import SQLModel

from controlplane.commands.jobs import claims, outcomes
from controlplane.commands.jobs.lifecycle import request_job
from controlplane.projections.jobs import JobFilter, list_jobs
from controlplane.store.database import Database
from controlplane.store.tables import JobRow
from controlplane.store.unit_of_work import UnitOfWork
from controlplane.transport.event_log import Types, last_seq, read_events
from schemas.claims import ClaimRequest, Failure
from schemas.jobs import JOB_KINDS
from tests.support.builders.planted import job_row
from tests.support.builders.specs import CURATE
from tests.trials.bench.parts import Options
from tests.trials.bench.relay import commit_facts
from tests.trials.bench.report import Goal, Ratio, alternate

BASE = 1_000
SIZES = (10_000, 100_000)
FACTS_A_JOB = 3
NOTE = (
    "half of the jobs wait, in turn of every kind, half have failed; three facts a job; the worker does every kind; "
    "milliseconds of the command with its commits, one client, without HTTP"
)

Operation = Callable[[Database], None]


def measure(options: Options) -> list[Ratio]:
    base, *sizes = [options.size(size, smoke) for size, smoke in zip((BASE, *SIZES), (30, 60, 90), strict=True)]
    found = []
    for kind in ("PostgreSQL", "SQLite"):
        with ExitStack() as stack:
            small = stack.enter_context(_filled(options, kind, base))
            for size in sizes:
                large = stack.enter_context(_filled(options, kind, size))
                found += [
                    _compare(options, f"{operation.name}, {size:,} jobs, {kind}", operation, large, small)
                    for operation in OPERATIONS
                ]
    return found


@dataclass(frozen=True)
class _Operation:
    name: str
    do: Operation
    times: int


def _compare(options: Options, name: str, operation: _Operation, large: Database, small: Database) -> Ratio:
    times = options.size(operation.times, 2)
    pairs = alternate(
        options.rounds,
        partial(_milliseconds, operation.do, large, times),
        partial(_milliseconds, operation.do, small, times),
    )
    return Ratio.of(name, "ms", pairs, against=f"{BASE:,} jobs", goal=Goal("at most", 1.5), note=NOTE)


def _milliseconds(do: Operation, database: Database, times: int) -> float:
    began = time.monotonic()
    for _ in range(times):
        do(database)
    return (time.monotonic() - began) * 1000 / times


def job_life(database: Database) -> None:
    """Requested, claimed, failed: three commits, three facts; as many jobs wait afterwards as before."""
    with database.begin("bench") as uow:
        request_job(uow, "curate", CURATE)
    request = ClaimRequest(kinds=JOB_KINDS, claim_id=uuid4(), owner="bench")
    with database.read() as session:
        assert claims.find_work(session, request)
    with database.begin("bench") as uow:
        claim = claims.claim_job(uow, request, 30)
    assert claim is not None
    failure = Failure(attempt=claim.attempt, owner="bench", reason="a benchmark", retryable=False)
    with database.begin("bench") as uow:
        outcomes.fail_job(uow, claim.job_id, failure)


def empty_claim(database: Database) -> None:
    """What an idle worker asks: no waiting job may be his, and he is told so without a lock."""
    request = ClaimRequest(kinds=("merge",), claim_id=uuid4(), owner="bench")
    with database.read() as session:
        assert not claims.find_work(session, request)


def queue_page(database: Database) -> None:
    with database.read() as session:
        assert list_jobs(session, JobFilter(phase="Pending"), None, 50)


def newest_page(database: Database) -> None:
    with database.read() as session:
        assert list_jobs(session, JobFilter(), None, 50)


def feed_page(database: Database) -> None:
    """Where readers of the feed are: at its end."""
    with database.read() as session:
        after = last_seq(session) - 5
        assert read_events(session, after, types=Types(only=["dev.graftwork.job.requested.v1"]))


OPERATIONS = (
    _Operation("a job's life", job_life, 20),
    _Operation("an empty claim", empty_claim, 30),
    _Operation("a page of what waits", queue_page, 20),
    _Operation("the newest page", newest_page, 20),
    _Operation("the feed's end", feed_page, 30),
)


@contextmanager
def _filled(options: Options, kind: str, jobs: int) -> Iterator[Database]:
    """A thousand jobs and their facts, copied by the database until there are so many."""
    first = min(jobs, BASE)
    with options.parts.database(kind) as database:
        with database.begin("bench") as uow:
            uow.session.execute(insert(JobRow), [_job(number) for number in range(first)])
        commit_facts(database, first * FACTS_A_JOB)
        identity = "lower(hex(randomblob(16)))" if database.is_sqlite else "gen_random_uuid()"
        for copy in range(1, jobs // first):
            with database.begin("bench") as uow:
                for table, key, place in (("job", "created_seq", "created_seq + :more"), ("event", "seq", None)):
                    _copy(uow, table, first, {"id": identity, key: place}, copy * first)
        with database.engine.connect() as connection:
            connection.execute(text("ANALYZE"))  # as autovacuum would have done by then
            connection.commit()
        yield database


def _copy(uow: UnitOfWork, table: str, first: int, changed: dict[str, str | None], more: int) -> None:
    """The first rows of a table once more; None: the database counts that column."""
    names = [
        name for name in list(SQLModel.metadata.tables[table].columns.keys()) if changed.get(name, name) is not None
    ]
    values = ", ".join(changed.get(name) or f'"{name}"' for name in names)
    columns = ", ".join(f'"{name}"' for name in names)
    bound = "created_seq < :first" if table == "job" else f"seq <= :first * {FACTS_A_JOB}"
    uow.session.execute(
        text(f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} WHERE {bound}"),
        {"first": first} | ({"more": more} if ":more" in values else {}),
    )


def _job(number: int) -> dict[str, object]:
    kinds = [kind for kind in JOB_KINDS if kind != "merge"]  # of which none waits: what `empty_claim` asks for
    waits = number % 2 == 0
    return job_row(
        datetime.now(UTC),
        kinds[number // 2 % len(kinds)],
        created_seq=number,
        spec=CURATE,
        phase="Pending" if waits else "Failed",
        correlationid=str(number),
    ).model_dump()
