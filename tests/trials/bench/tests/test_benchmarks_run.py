"""Benchmarks do not rot: each one runs at its smallest size and answers numbers, and tables say what they are worth."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.missing import Missing
from tests.support.postgres_server import PostgresServer
from tests.trials.bench import records as store
from tests.trials.bench.__main__ import BENCHMARKS, benchmark, main
from tests.trials.bench.host import Moment, this_host
from tests.trials.bench.parts import Options, Parts
from tests.trials.bench.records import Measurement, Results
from tests.trials.bench.report import Goal, Ratio, alternate, percentile
from tests.trials.bench.tables import short, whole

SLOWER = Ratio("a latency", "ms", (4.0, 6.0, 5.0), (2.0, 2.0, 5.0), "raw", goal=Goal("at most", 2))
ALONE = Ratio("a wait", "s", (0.5,), compare="ours", goal=Goal("at most", 0.4))
IDLE, BUSY = (Moment("2026-01-01T00:00:00+00:00", used) for used in (0.01, 0.5))
WAITS = Measurement(this_host(), "abc", BUSY, IDLE, (SLOWER, ALONE))


@pytest.fixture(scope="module")
def parts(kafka_broker: Broker, postgres_server_: PostgresServer) -> Iterator[Parts]:
    with Parts(kafka_broker, postgres_server_) as parts:
        yield parts


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.by_turns
@pytest.mark.parametrize("name", BENCHMARKS)
@pytest.mark.usefixtures("kafka")
def test_a_benchmark_runs(name: str, parts: Parts) -> None:
    try:
        ratios = benchmark(name)(Options(parts, rounds=1, smoke=True))
    except Missing as reason:
        pytest.skip(f"NOT RUN: {reason}")
    assert ratios
    assert all(math.isfinite(value) for ratio in ratios for value in ratio.values)


def test_a_ratio_is_compared_round_by_round() -> None:
    assert SLOWER.values == (2.0, 3.0, 1.0)
    assert (SLOWER.median, SLOWER.spread, SLOWER.met) == (2.0, (1.0, 3.0), True)
    assert ALONE.met is False
    faster = Ratio("x", "ms", (2.0,), (10.0,), compare="alternative / ours", goal=Goal("at least", 5))
    assert (faster.values, faster.met) == ((5.0,), True)
    assert Ratio("x", "ms", (5.0,), (2.0,), compare="ours - alternative").median == 3.0


def test_rounds_without_their_other_half_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rounds of ours, 1 of the other"):
        Ratio("x", "ms", (1.0, 2.0), (1.0,))


def test_both_sides_take_turns_after_a_turn_that_does_not_count() -> None:
    turns: list[str] = []

    def ours() -> int:
        turns.append("ours")
        return len(turns)

    def alternative() -> int:
        turns.append("alternative")
        return len(turns)

    assert alternate(2, ours, alternative) == [(3, 4), (6, 5)]
    assert turns == ["ours", "alternative", "ours", "alternative", "alternative", "ours"]


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (0.1, 1)])
def test_a_percentile(percent: float, value: int) -> None:
    assert percentile(list(range(100, 0, -1)), percent) == value


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    results = Results({"waits": WAITS})
    store.save(results, tmp_path / "results.json")
    assert store.load(tmp_path / "results.json") == results


def test_tables_say_what_was_missed_and_what_was_measured_on_a_busy_machine() -> None:
    results = Results({"waits": WAITS})
    assert "| a wait | 0.5 s |  | 0.5 s (0.5 to 0.5) | ≤ 0.4: **missed** |" in short(results)
    assert "| a latency | 5 ms | 2 ms (raw) | 2 (1 to 3) | ≤ 2: met |" in whole(results)
    assert "not idle" in whole(results)


def test_a_note_stands_once_before_it_whom_it_is_about() -> None:
    one, other = (replace(SLOWER, name=name, note="on a Monday") for name in ("one", "other"))
    assert "- all of them: on a Monday" in whole(Results({"waits": replace(WAITS, ratios=(one, other))}))
    three = replace(WAITS, ratios=(one, other, replace(ALONE, note="on a Tuesday")))
    assert "- one; other: on a Monday\n- a wait: on a Tuesday" in whole(Results({"waits": three}))


def test_what_belongs_beside_a_goal_stands_beside_it_in_the_short_table_too() -> None:
    slow, fast = (Ratio(name, "rows/s", (1.0,), (2.0,), goal=None) for name in ("slow", "fast"))
    table = short(Results({"waits": replace(WAITS, ratios=(SLOWER, replace(slow, beside_goal=True), fast))}))
    assert "goal |\n|---|---|---|---|---|\n| a latency |" in table
    assert "\n| slow | 1 rows/s |" in table
    assert "| fast |" not in table
    assert "A row without a goal belongs to the one above it." in table


@pytest.mark.parametrize("when", ["began", "ended"])
def test_a_machine_that_others_used_at_either_end_was_not_idle(when: str) -> None:
    idle = replace(WAITS, began=IDLE, ended=IDLE)
    assert not idle.busy
    assert replace(idle, **{when: BUSY}).busy


def test_each_benchmark_keeps_the_machine_that_it_was_measured_on() -> None:
    older = replace(WAITS.host, versions={"fastapi": "0.1"})
    results = Results({"old": replace(WAITS, host=older)}).with_measured("new", WAITS)
    for table in (short(results), whole(results)):
        assert f"- new: measured on {WAITS.host}.\n- old: measured on {older}." in table
    assert f"Measured on {older}." in short(Results({"old": replace(WAITS, host=older)}))


def test_a_smoke_run_does_not_replace_what_the_machine_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--smoke", "--only", "commit_price"]) == 2
    assert "--smoke needs --out" in capsys.readouterr().err


def test_a_smoke_run_is_not_published(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.save(Results({"waits": replace(WAITS, smoke=True)}), tmp_path / "smoke.json")
    assert main(["--render", str(tmp_path / "smoke.json")]) == 2
    assert "waits only ran, with --smoke" in capsys.readouterr().err


def test_published_results_can_be_read() -> None:
    for file in store.FOLDER.glob("*.json"):
        assert set(store.load(file).benchmarks) <= set(BENCHMARKS)


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "relays"]) == 2
    assert "no benchmark relays: there are" in capsys.readouterr().err
