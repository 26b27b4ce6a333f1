"""What the one order of events costs: commits that announce a fact against commits that announce none."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import uuid4

from controlplane.store.database import Database
from schemas.facts import JobRequested
from tests.support.builders.planted import model_row
from tests.trials.bench.parts import Options
from tests.trials.bench.report import Ratio, alternate

WRITERS = 4


def measure(options: Options) -> list[Ratio]:
    return [_price(options, kind) for kind in ("PostgreSQL", "SQLite")]


def _price(options: Options, kind: str) -> Ratio:
    commits = options.size(200, 5)
    with options.parts.database(kind) as database:
        announcing, silent = (partial(commits_per_second, database, facts, commits) for facts in (1, 0))
        pairs = alternate(options.rounds, announcing, silent)
    return Ratio.of(
        f"commits with a fact, {kind}",
        "commits/s",
        pairs,
        against="without",
        note=f"{WRITERS} writers; the commit lock makes seq order commit order, so commits with facts take turns",
    )


def commits_per_second(database: Database, facts: int, commits: int) -> float:
    def write(_: int) -> None:
        for _ in range(commits):
            with database.begin("bench") as uow:
                uow.session.add(model_row(uow.now(), f"m-{uuid4().hex[:20]}"))
                for _ in range(facts):
                    uow.record(JobRequested(job_id=uuid4(), kind="train", attempt=0), f"job/{uuid4()}")

    began = time.monotonic()
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    return WRITERS * commits / (time.monotonic() - began)
