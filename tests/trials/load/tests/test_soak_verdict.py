"""A soak's verdict finds what grows, and is not fooled by what only moves."""

import os
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controlplane.store.database import Database
from controlplane.store.spine_tables import CursorRow
from schemas.marked import with_part
from tests.support.builders.planted import plant_job
from tests.support.processes import ROOT
from tests.trials.load.finding import Finding, Work
from tests.trials.load.judged_processes import slope
from tests.trials.load.judged_tables import BOUNDED, RECORDS
from tests.trials.load.pages import section
from tests.trials.load.sampling import MADE_NOTHING, ProcessSample, Sample, look_at, measure_database
from tests.trials.load.soak import _conditions
from tests.trials.load.verdict import judge

MIB = 2**20
Shape = Callable[[float], float]
FLAT: Shape = lambda _at: 0.0  # noqa: E731
WORK = Work(seconds=600, answered={"predict": 12_000, "champion": 12_000, "work": 24, "submit": 480}, rollouts=10)


def sampled(
    *,
    name: str = "api (7)",
    memory: Shape = FLAT,
    mapped: Shape = FLAT,
    descriptors: Shape = FLAT,
    threads: Shape = FLAT,
    rows: Shape | None = None,
    table: str = "event",
    size: Shape = FLAT,
) -> list[Sample]:
    """Ten minutes with these shapes; every value trembles a little, and PSS most: others share its pages."""
    dice = random.Random(5)
    samples = []
    for at in range(0, 600, 5):
        anonymous = int(180 * MIB + memory(at) * MIB + dice.gauss(0, MIB / 10))
        process = ProcessSample(
            rss=0,
            pss=int(anonymous + 20 * MIB + mapped(at) * MIB + dice.gauss(0, MIB)),
            anonymous=anonymous,
            fds=int(40 + descriptors(at) + dice.randrange(3)),
            threads=int(12 + threads(at) + dice.randrange(2)),
        )
        jobs = {f"job ({at})": ProcessSample(0, at * MIB, at * MIB, at, at)}  # another process every time
        count = rows(at) if rows else 500 + 200 * (at % 10 > 4)
        samples.append(
            Sample(
                float(at),
                {name: process, **jobs},
                {"job": at // 2, table: int(count)},
                {"database": int((50 + size(at)) * MIB)},
                jobs_done=at // 25,
            )
        )
    return samples


def guilty(findings: Iterable[Finding]) -> set[str]:
    return {f"{finding.subject} {finding.measure}" for finding in findings if not finding.ok}


def run(**shapes: Any) -> set[str]:
    """What ten minutes with these shapes are found guilty of."""
    return guilty(judge(sampled(**shapes), WORK))


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
        ({"memory": lambda at: at / 120}, "api (7) memory (allocated)"),
        ({"mapped": lambda at: at / 25}, "api (7) memory (PSS)"),
        ({"descriptors": lambda at: at / 60}, "api (7) descriptors"),
        ({"threads": lambda at: at / 60}, "api (7) threads"),
        ({"rows": lambda at: at * 3}, "event rows"),
        ({"size": lambda at: at / 5}, "database bytes"),
    ],
    ids=["memory", "mapped", "descriptors", "threads", "rows", "size"],
)
def test_a_planted_leak_is_found(shape: dict[str, Shape], found: str) -> None:
    assert run(**shape) == {found}


@pytest.mark.parametrize(
    ("name", "unit", "each", "units_a_second"),
    [
        ("gateway-2 (7)", "request", 600, 10.0),
        ("api (7)", "request", 300, 20.84),
        ("worker-1 (7)", "job", 150_000, 0.04),
    ],
)
def test_a_leak_of_so_many_bytes_for_each_thing_done_is_found(
    name: str, unit: str, each: int, units_a_second: float
) -> None:
    """The bytes are just above those that docs/load.md says are seen; of two gateways each has half of the requests."""
    leaking = sampled(name=name, memory=lambda at: each * units_a_second * at / MIB)
    if name.startswith("gateway"):
        other = sampled(name="gateway-1 (8)")
        leaking = [
            replace(one, processes=one.processes | two.processes) for one, two in zip(leaking, other, strict=True)
        ]
    findings = judge(leaking, WORK)
    assert guilty(findings) == {f"{name} memory (allocated)"}
    [text] = [one.text for one in findings if f"{one.subject} {one.measure}" == f"{name} memory (allocated)"]
    said = re.search(rf"; ([\d,]+) bytes for each {unit}", text)
    assert said is not None
    assert int(said[1].replace(",", "")) == pytest.approx(each, rel=0.08)  # what it says that it sees is what it finds


def test_a_process_that_was_restarted_took_its_leak_with_it_and_is_found() -> None:
    """`reactions` grows by 1 MiB/s for eight minutes and is then started again by its supervisor."""
    leak = lambda at: at % 480  # noqa: E731
    samples = [
        replace(sample, processes={f"reactions ({7 if sample.at < 480 else 8})": sample.processes["reactions"]})
        for sample in sampled(name="reactions", memory=leak)
    ]
    assert guilty(judge(samples, WORK)) == {
        "reactions life",
        "reactions (7) memory (allocated)",
        "reactions (7) memory (PSS)",
    }


@pytest.mark.parametrize("there", [lambda at: at < 300, lambda at: at > 300, lambda at: at != 300])
def test_a_process_that_was_not_there_all_the_time_is_found(there: Callable[[float], bool]) -> None:
    samples = [sample if there(sample.at) else replace(sample, processes={}) for sample in sampled()]
    assert guilty(judge(samples, WORK)) == {"api life"}


def test_jobs_that_retention_should_have_removed_are_found_beside_those_that_are_kept() -> None:
    assert run(table=MADE_NOTHING, rows=lambda at: at * 3) == {"job that made nothing rows"}


@pytest.mark.parametrize("table", sorted(RECORDS))
def test_records_that_nobody_made_are_found(table: str) -> None:
    """Thirty a second, as many as requests: `job` grew by 39,500 rows and `decision` by 19,750, and both were ok."""
    assert run(table=table, rows=lambda at: at * 30) == {f"{table} rows"}


def test_records_of_what_was_made_are_kept() -> None:
    made_of = {"decision": 40, "generation": 40, "applied": 80, "rollout": 10, "dataset_version": 23}
    for table, made in made_of.items():
        assert run(table=table, rows=lambda at, made=made: at / 600 * made) == set()


def test_decisions_at_each_look_of_the_analysis_are_found() -> None:
    assert run(table="decision", rows=lambda at: at / 2) == {"decision rows"}


def test_two_versions_of_a_job_that_was_done_once_are_found() -> None:
    assert run(table="dataset_version", rows=lambda at: at / 600 * 46) == {"dataset_version rows"}


def test_a_table_that_retention_never_touched_is_found_even_when_traffic_stopped() -> None:
    assert run(rows=lambda at: min(at, 300) * 3) == {"event rows"}


def test_a_table_that_nobody_has_thought_about_may_not_grow() -> None:
    assert run(table="novelty", rows=lambda at: at) == {"novelty rows"}
    assert run(table="novelty", rows=lambda _at: 3) == set()


def test_every_table_is_bounded_or_kept_for_good(sqlite_database: Database) -> None:
    rows, _, _ = measure_database(sqlite_database.url)
    assert set(rows) - set(BOUNDED) == set(RECORDS)
    assert not set(BOUNDED) & set(RECORDS)


def test_rows_and_bytes_are_the_databases_own(database: Database) -> None:
    phases = ("Succeeded", "Succeeded", "Failed", "Cancelled", "Cancelled", "Running")
    with database.begin("test") as uow:
        uow.session.add(CursorRow(name="one"))
        for phase in phases:
            plant_job(uow, "curate", phase=phase)
    rows, sizes, jobs_done = measure_database(database.url)
    assert (rows["cursor"], rows["event"]) == (1, 0)
    assert (rows["job"], rows[MADE_NOTHING], jobs_done) == (6, 3, 2)
    assert sizes["database"] > 0


def test_a_process_is_seen_as_the_kernel_sees_it(tmp_path: Path) -> None:
    before = look_at(os.getpid())
    held = [file.open("w") for file in (tmp_path / name for name in "abc")]
    after = look_at(os.getpid())
    assert before is not None
    assert after is not None
    assert after.fds == before.fds + 3
    assert after.rss >= after.pss > 0
    assert after.rss >= after.anonymous > 0
    for file in held:
        file.close()
    assert look_at(2**22 + 1) is None  # above the kernel's largest pid


def test_the_slope_is_that_of_the_line_beneath_the_outliers() -> None:
    points = [(float(x), 3.0 * x) for x in range(50)]
    points[10] = (10.0, 1e9)
    assert slope(points) == pytest.approx(3.0)
    assert slope(points[:1]) == 0.0


def test_the_conditions_of_a_run_are_told_as_they_were_before_it() -> None:
    assert re.search(r"600 s, retention 60 s, .* cores, .* of the machine in use before\.", _conditions(600, 60))


def test_findings_are_written_between_their_topologys_marks() -> None:
    page = (ROOT / "docs" / "load.md").read_text()
    load = {"targets": {}, "generator": {"kept_up": True, "cpu_share": 0.1, "lag_ms": {"p50": 0.1, "p99": 0.2}}}
    findings = [
        {"subject": "api", "measure": "memory (PSS)", "ok": False, "text": "grew"},
        {"subject": "event", "measure": "rows", "ok": True, "text": "at most 7"},
    ]
    written = section({"conditions": "On a Tuesday.", "load": load, "findings": findings})
    assert "**Not flat**: 1 findings. On a Tuesday." in written
    assert "| api | memory (PSS) | **bad** | grew |" in written
    for topology in ("embedded", "kafka"):
        assert written in with_part(page, f"soak {topology}", written)
