"""What a campaign keeps: parts of one become a whole, and the table says what failed."""

from typing import Any

from tests.trials.chaos.report import joined
from tests.trials.chaos.tables import table


def results(seeds: list[int], failed: list[int], seconds: float) -> dict[str, Any]:
    recoveries = [{"seed": s, "kind": "api", "action": "kill", "part": "api", "seconds": seconds} for s in seeds]
    return {
        "topology": "embedded",
        "commits": ["abc"],
        "seeds": seeds,
        "failed": {str(seed): ["lost"] for seed in failed},
        "crashes": {},
        "skipped": [],
        "played": len(seeds),
        "seconds": 10.0 * len(seeds),
        "done": {"jobs": len(seeds)},
        "recoveries": recoveries,
    }


def test_a_seed_that_failed_once_has_failed_however_often_it_is_played_again() -> None:
    whole = joined(results([1, 2, 3], [2, 3], 5.0), results([2, 4], [4], 7.0))
    assert whole["seeds"] == [1, 2, 3, 4]
    assert sorted(whole["failed"]) == ["2", "3", "4"]
    assert sorted((one["seed"], one["seconds"]) for one in whole["recoveries"]) == [(1, 5), (2, 7), (3, 5), (4, 7)]
    assert whole["done"] == {"jobs": 5}
    assert whole["seconds"] / whole["played"] == 10.0


def test_the_table_names_the_seeds_that_failed_and_the_slowest_recovery() -> None:
    text = table(joined(results([1], [], 5.0), results([2], [2], 9.0)))
    assert "2 seeds (1 to 2), 1 failed (2)" in text
    assert "| api | SIGKILL, started again | 2 | 7.0 | 9.0 |" in text
