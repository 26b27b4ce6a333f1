"""Every unit counts once, in the second and under the generation of its arrival."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from schemas.serving import Observation
from workers.serve.counting.clock import BootClock
from workers.serve.counting.journal import Journal
from workers.serve.counting.ledger import Ledger
from workers.serve.counting.remains import read_remains
from workers.serve.counting.second import Arrival, Unit

BOOT = UUID(int=7)


class Time:
    def __init__(self) -> None:
        self.wall, self.monotonic = 1_000.25, 50.0

    def pass_(self, seconds: float) -> None:
        self.monotonic += seconds


class Bench:
    def __init__(self, folder: Path) -> None:
        self.time = Time()
        self.clock = BootClock(lambda: self.time.wall, lambda: self.time.monotonic)
        self.path = folder / "boot.journal"
        self.journal = Journal(self.path, BOOT)
        self.ledger = Ledger(BOOT, self.clock, self.journal)

    def arrive(self, arm: str = "stable", generation: int = 1, key: str | None = None, weight: float = 0.5) -> Unit:
        arrival = Arrival(self.clock.second(), generation, weight, arm, key)  # type: ignore[arg-type]
        return self.ledger.begin(arrival, self.clock.now() + 5)

    def seal(self) -> list[Observation]:
        return list(self.ledger.seal(1, 0.0))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.journal.close()


def test_seconds_are_told_in_order_and_without_gaps(bench: Bench) -> None:
    bench.time.pass_(3.0)
    assert [o.second for o in bench.seal()] == [1000, 1001, 1002]
    bench.time.pass_(2.0)
    assert [o.second for o in bench.seal()] == [1003, 1004]


def test_a_second_is_told_as_soon_as_it_is_over(bench: Bench) -> None:
    bench.time.pass_(0.749)
    assert bench.seal() == []
    bench.time.monotonic = 50.75
    assert [o.second for o in bench.seal()] == [1000]


def test_the_wall_clock_may_jump_back_and_seconds_do_not(bench: Bench) -> None:
    bench.time.pass_(2.0)
    bench.time.wall -= 3_600
    assert bench.clock.second() == 1002


def test_an_empty_second_says_what_would_have_applied(bench: Bench) -> None:
    bench.time.pass_(1.0)
    [only] = [g for o in bench.seal() for g in o.generations]
    assert (only.generation, only.applied_weight, only.stable.units, only.canary.units) == (1, 0.0, 0, 0)


def test_a_second_waits_for_its_units(bench: Bench) -> None:
    unit = bench.arrive("canary")
    bench.time.pass_(1.5)
    assert bench.seal() == []
    bench.ledger.end(unit, "ok")
    [observation] = bench.seal()
    assert observation.generations[0].canary.units == 1
    assert observation.generations[0].canary.error == 0


def test_a_unit_past_its_deadline_is_an_error_whatever_it_says_later(bench: Bench) -> None:
    unit = bench.arrive("canary")
    bench.time.pass_(4.9)
    assert bench.seal() == []
    bench.time.pass_(0.1)
    observations = bench.seal()
    assert observations[0].generations[0].canary.error == 1
    assert [o.second for o in observations] == [1000, 1001, 1002, 1003, 1004]
    assert bench.ledger.end(unit, "ok") == "error"


def test_a_unit_ends_once(bench: Bench) -> None:
    unit = bench.arrive()
    assert bench.ledger.end(unit, "error") == "error"
    assert bench.ledger.end(unit, "error") == "error"
    bench.time.pass_(1.0)
    assert bench.seal()[0].generations[0].stable.error == 1


def test_a_unit_that_ends_at_its_deadline_is_late_and_before_it_is_not(bench: Bench) -> None:
    early, late = bench.arrive("canary"), bench.arrive("canary")
    bench.time.pass_(4.75)
    assert bench.ledger.end(early, "ok") == "ok"
    bench.time.pass_(0.25)
    assert bench.ledger.end(late, "ok") == "error"
    first = bench.seal()[0].generations[0]
    assert (first.canary.units, first.canary.error, first.stable.units, first.stable.error) == (2, 1, 0, 0)


def test_a_unit_without_an_end_holds_up_its_second_and_not_those_that_ended_before(bench: Bench) -> None:
    bench.ledger.end(bench.arrive(), "ok")
    bench.time.pass_(1.0)
    bench.arrive()
    bench.arrive()
    bench.time.pass_(1.0)
    assert [o.second for o in bench.seal()] == [1000]


def test_the_journal_is_told_of_each_units_begin_and_end(bench: Bench) -> None:
    first, second = bench.arrive(), bench.arrive()
    bench.ledger.end(first, "ok")
    bench.time.pass_(5.0)
    bench.ledger.end(second, "ok")
    remains = read_remains(bench.path)
    assert remains is not None
    [told] = remains.lost
    assert (told.generations[0].stable.units, told.generations[0].stable.error, told.unfinished) == (2, 1, False)
    assert (first.number, second.number) == (0, 1)


def test_a_second_says_whose_it_is_and_who_was_served_under_which_weight(bench: Bench) -> None:
    for arm, end in (("stable", "ok"), ("stable", "error"), ("stable", "error"), ("canary", "ok")):
        bench.ledger.end(bench.arrive(arm, weight=0.25), end)
    bench.time.pass_(1.0)
    [observation] = bench.seal()
    [generation] = observation.generations
    assert (observation.boot, generation.applied_weight, generation.sessions) == (BOOT, 0.25, ())
    assert (generation.stable.units, generation.stable.error) == (3, 2)
    assert (generation.canary.units, generation.canary.error) == (1, 0)


def test_before_the_first_generation_a_second_says_nothing(bench: Bench) -> None:
    bench.time.pass_(1.0)
    assert [o.generations for o in bench.ledger.seal(None, 0.5)] == [()]
    bench.time.pass_(1.0)
    assert [g.applied_weight for o in bench.ledger.seal(3, 0.5) for g in o.generations] == [0.5]


def test_who_only_looks_sees_the_weight_in_force_and_sets_none(bench: Bench) -> None:
    assert bench.ledger.weight_shown(1000, 1, 0.75) == 0.75
    assert bench.ledger.weight_in_force(1000, 1, 0.25) == 0.25
    assert bench.ledger.weight_shown(1000, 1, 0.75) == 0.25
    assert bench.ledger.weight_shown(1000, 2, 0.75) == 0.75
    bench.time.pass_(1.0)
    bench.seal()
    assert bench.ledger.weight_shown(1000, 1, 0.75) == 0.75  # told, and forgotten


def test_two_generations_of_one_second_are_told_apart(bench: Bench) -> None:
    for generation in (1, 2, 2):
        bench.ledger.end(bench.arrive(generation=generation), "ok")
    bench.time.pass_(1.0)
    [observation] = bench.seal()
    assert [(g.generation, g.stable.units) for g in observation.generations] == [(1, 1), (2, 2)]


def test_a_weight_holds_for_the_whole_second(bench: Bench) -> None:
    assert bench.ledger.weight_in_force(1000, 1, 0.25) == 0.25
    assert bench.ledger.weight_in_force(1000, 1, 0.0) == 0.25
    assert bench.ledger.weight_in_force(1001, 1, 0.0) == 0.0


def test_a_key_counts_at_its_first_exposure_and_not_among_the_unkeyed(bench: Bench) -> None:
    key = "a" * 32
    first, second = bench.arrive("canary", key=key), bench.arrive("canary", key=key)
    bench.ledger.end(first, "error")
    bench.ledger.end(second, "ok")
    bench.time.pass_(1.0)
    [observation] = bench.seal()
    [session] = observation.generations[0].sessions
    assert (session.key_hash, session.arm, session.end) == (key, "canary", "error")
    assert (observation.generations[0].canary.units, observation.generations[0].canary.error) == (0, 0)


def test_an_answer_that_has_begun_has_the_later_deadline(bench: Bench) -> None:
    unit = bench.arrive("canary")
    bench.time.pass_(4.9)
    assert bench.ledger.extend(unit, bench.clock.now() + 60)
    bench.time.pass_(30.0)
    assert bench.seal() == [], "its second waits for it"
    assert bench.ledger.end(unit, "ok") == "ok"


def test_a_unit_that_has_ended_or_is_at_its_deadline_gets_no_later_one(bench: Bench) -> None:
    ended, late = bench.arrive(), bench.arrive("canary")
    bench.ledger.end(ended, "ok")
    deadline = ended.deadline
    assert not bench.ledger.extend(ended, deadline + 60)
    bench.time.pass_(5.0)
    assert not bench.ledger.extend(late, late.deadline + 60)
    assert (ended.deadline, late.deadline) == (deadline, deadline)
    assert bench.ledger.end(late, "ok") == "error"
