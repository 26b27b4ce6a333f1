"""What the one order of events costs: commits that announce a fact against commits that announce none, in one run."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from controlplane.store.database import Database
from controlplane.store.tables import RegisteredModelRow
from schemas.events import JobRequested

WRITERS = 4
COMMITS = 50
ROUNDS = 3


@pytest.mark.slow
def test_the_price_of_one_order(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    ratios = []
    for _ in range(ROUNDS):
        silent, announcing = (commits_per_second(database, facts) for facts in (0, 1))
        ratios.append(announcing / silent)
    with capsys.disabled():
        kind = "SQLite" if database.is_sqlite else "PostgreSQL"
        spread = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(
            f"\n{kind}: with a fact {announcing:.0f} commits/s, without {silent:.0f}; "
            f"ratio {statistics.median(ratios):.2f} (of {spread}), {WRITERS} writers"
        )
    assert all(ratio > 0 for ratio in ratios)


def commits_per_second(database: Database, facts: int) -> float:
    def write(_: int) -> None:
        for _ in range(COMMITS):
            with database.begin("bench") as uow:
                uow.session.add(RegisteredModelRow(name=f"m-{uuid4().hex[:20]}", created_at=uow.now()))
                for _ in range(facts):
                    uow.record(JobRequested(job_id=uuid4(), kind="train", attempt=0), f"job/{uuid4()}")

    began = time.monotonic()
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    return WRITERS * COMMITS / (time.monotonic() - began)
