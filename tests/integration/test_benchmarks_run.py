"""Benchmarks do not rot: each one runs at its smallest size and answers numbers; and their arithmetic is right."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import records as store
from tests.bench.__main__ import BENCHMARKS, benchmark, main
from tests.bench.host import Moment, this_host
from tests.bench.parts import Missing, Options, Parts
from tests.bench.records import Measurement, Results
from tests.bench.report import Goal, Ratio, alternate, percentile
from tests.bench.tables import short, whole
from tests.support.broker import Broker
from tests.support.postgres_server import PostgresServer

SLOWER = Ratio("a latency", "ms", (4.0, 6.0, 5.0), (2.0, 2.0, 5.0), "raw", goal=Goal("at most", 2))
ALONE = Ratio("a wait", "s", (0.5,), compare="ours", goal=Goal("at most", 0.4))


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs(name: str, kafka: Broker, postgres_server_: PostgresServer) -> None:
    with Parts(kafka, postgres_server_) as parts:
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
    results = _results()
    store.save(results, tmp_path / "results.json")
    assert store.load(tmp_path / "results.json") == results


def test_tables_say_what_was_missed_and_what_was_measured_on_a_busy_machine() -> None:
    assert "| a wait | 0.5 s |  | 0.5 s (0.5 to 0.5) | ≤ 0.4: **missed** |" in short(_results())
    assert "| a latency | 5 ms | 2 ms (raw) | 2 (1 to 3) | ≤ 2: met |" in whole(_results())
    assert "not idle" in whole(_results())


def test_a_note_stands_once_before_it_whom_it_is_about() -> None:
    one, other = (replace(SLOWER, name=name, note="on a Monday") for name in ("one", "other"))
    results = _results()
    waits = replace(results.benchmarks["waits"], ratios=(one, other))
    assert "- all of them: on a Monday" in whole(Results(results.host, {"waits": waits}))
    three = replace(waits, ratios=(one, other, replace(ALONE, note="on a Tuesday")))
    assert "- one; other: on a Monday\n- a wait: on a Tuesday" in whole(Results(results.host, {"waits": three}))


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "relays"]) == 2
    assert "no benchmark relays: there are" in capsys.readouterr().err


def _results() -> Results:
    moment = Moment("2026-01-01T00:00:00+00:00", 1.5)
    return Results(this_host(), {"waits": Measurement("abc", moment, moment, (SLOWER, ALONE), busy=True)})
