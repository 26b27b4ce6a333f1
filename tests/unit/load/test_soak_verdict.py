"""A soak's verdict finds what grows, and is not fooled by what only moves."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane.store.database import Database
from controlplane.store.spine_tables import CursorRow
from schemas.marked import with_part
from tests.load.pages import section
from tests.load.sampling import ProcessSample, Sample, look_at, measure_database
from tests.load.verdict import BOUNDED, RECORDS, judge, slope
from tests.support.processes import ROOT

MIB = 2**20
Shape = Callable[[float], float]
FLAT: Shape = lambda _at: 0.0  # noqa: E731


def run(
    *,
    memory: Shape = FLAT,
    descriptors: Shape = FLAT,
    threads: Shape = FLAT,
    rows: Shape | None = None,
    table: str = "event",
    size: Shape = FLAT,
) -> set[str]:
    """What ten minutes with these shapes are found guilty of; every value trembles a little."""
    dice = random.Random(5)
    samples = []
    for at in range(0, 600, 5):
        process = ProcessSample(
            rss=0,
            pss=int(200 * MIB + memory(at) * MIB + dice.gauss(0, MIB)),
            fds=int(40 + descriptors(at) + dice.randrange(3)),
            threads=int(12 + threads(at) + dice.randrange(2)),
        )
        jobs = {f"job ({at})": ProcessSample(0, at * MIB, at, at)}  # another process every time
        count = rows(at) if rows else 500 + 200 * (at % 10 > 4)
        samples.append(
            Sample(
                float(at),
                {"api (7)": process, **jobs},
                {table: int(count), "job": at},
                {"database": int((50 + size(at)) * MIB)},
            )
        )
    return {f"{finding.subject} {finding.measure}" for finding in judge(samples) if not finding.ok}


def test_a_run_that_only_trembles_is_flat() -> None:
    assert run() == set()


def test_what_fills_in_the_first_minutes_is_no_leak() -> None:
    grown = lambda at: min(at, 200.0)  # noqa: E731
    assert run(memory=grown, descriptors=grown, threads=grown, size=grown) == set()


def test_one_spike_is_no_leak() -> None:
    assert run(memory=lambda at: 300.0 if 400 <= at < 420 else 0.0) == set()


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ({"memory": lambda at: at / 25}, "api (7) memory (PSS)"),
        ({"descriptors": lambda at: at / 60}, "api (7) descriptors"),
        ({"threads": lambda at: at / 60}, "api (7) threads"),
        ({"rows": lambda at: at * 3}, "event rows"),
        ({"size": lambda at: at / 5}, "database bytes"),
    ],
    ids=["memory", "descriptors", "threads", "rows", "size"],
)
def test_a_planted_leak_is_found(shape: dict[str, Shape], found: str) -> None:
    assert run(**shape) == {found}  # type: ignore[arg-type]


def test_a_table_that_retention_never_touched_is_found_even_when_traffic_stopped() -> None:
    assert run(rows=lambda at: min(at, 300) * 3) == {"event rows"}


def test_a_table_that_nobody_has_thought_about_may_not_grow() -> None:
    assert run(table="novelty", rows=lambda at: at) == {"novelty rows"}
    assert run(table="novelty", rows=lambda _at: 3) == set()


def test_every_table_is_bounded_or_kept_for_good(sqlite_database: Database) -> None:
    rows, _ = measure_database(sqlite_database.url)
    assert set(rows) - set(BOUNDED) == set(RECORDS)
    assert not set(BOUNDED) & set(RECORDS)


def test_rows_and_bytes_are_the_databases_own(database: Database) -> None:
    with database.begin("test") as uow:
        uow.session.add(CursorRow(name="one"))
    rows, sizes = measure_database(database.url)
    assert (rows["cursor"], rows["event"]) == (1, 0)
    assert sizes["database"] > 0


def test_a_process_is_seen_as_the_kernel_sees_it(tmp_path: Path) -> None:
    before = look_at(os.getpid())
    held = [file.open("w") for file in (tmp_path / name for name in "abc")]
    after = look_at(os.getpid())
    assert before is not None
    assert after is not None
    assert after.fds == before.fds + 3
    assert after.rss >= after.pss > 0
    for file in held:
        file.close()
    assert look_at(2**22 + 1) is None  # above the kernel's largest pid


def test_the_slope_is_that_of_the_line_beneath_the_outliers() -> None:
    points = [(float(x), 3.0 * x) for x in range(50)]
    points[10] = (10.0, 1e9)
    assert slope(points) == pytest.approx(3.0)
    assert slope(points[:1]) == 0.0


def test_findings_are_written_between_their_topologys_marks() -> None:
    page = (ROOT / "docs" / "load.md").read_text()
    load = {"targets": {}, "generator": {"kept_up": True, "cpu_share": 0.1, "lag_ms": {"p50": 0.1, "p99": 0.2}}}
    findings = [
        {"subject": "api", "measure": "memory (PSS)", "ok": False, "text": "grew"},
        {"subject": "event", "measure": "rows", "ok": True, "text": "at most 7"},
    ]
    written = section({"load": load, "findings": findings}, "On a Tuesday.")
    assert "**Not flat**: 1 findings. On a Tuesday." in written
    assert "| api | memory (PSS) | **bad** | grew |" in written
    for topology in ("embedded", "kafka"):
        assert written in with_part(page, f"soak {topology}", written)
