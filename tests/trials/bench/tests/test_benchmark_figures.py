"""Benchmarks count what they say that they count: each figure here is spoilt in the way that once went unseen."""

from pathlib import Path

import pytest
from starlette.responses import Response

from tests.support.http_server import serving
from tests.support.processes import Processes
from tests.trials.bench.fair import Load, Turn, ratios
from tests.trials.bench.heard import Log
from tests.trials.bench.latency import Start, job_ratios
from tests.trials.bench.parts import Unmeasured
from tests.trials.bench.rollback import Left, seconds_to_last
from tests.trials.load.generator import Done
from tests.trials.load.site import Site

MS = 1_000_000

# --- latency ----------------------------------------------------------------------------------------------------------


def test_a_wait_is_from_the_commit_however_long_the_answer_to_the_post_takes() -> None:
    """The claim left 4 ms after the commit; the medians of the whole POST and the claim would have eaten it up."""
    start = Start(posted=0, committed=10 * MS, claim_left=14 * MS, had=30 * MS)
    wait, slowest, _, journey = job_ratios("embedded", [([start], [2.0])])
    assert (wait.ours, wait.values) == ((4.0,), (2.0,))
    assert slowest.goal is not None
    assert (slowest.values, slowest.met) == ((2.0,), True)
    assert (journey.ours, journey.goal, journey.beside_goal) == ((30.0,), None, True)
    assert "the POST took 10.0 ms until the commit, and the claim 16.0 ms" in journey.note


def test_an_event_is_matched_to_its_own_job(tmp_path: Path) -> None:
    """Another event's second job comes first, and again: neither is what was waited for."""
    said = "another 1 2\nanother 3 4\nmine 5 6\nmine 7 8\nidle 9 9\n"
    log = _heard(tmp_path, said)
    assert log.next("mine") == (5, 6)
    log.close()


def test_a_worker_that_was_idle_before_is_not_taken_to_be_idle_now(tmp_path: Path) -> None:
    log = _heard(tmp_path, "idle 4 4\nmine 5 6\n")
    _, had = log.next("mine")
    with pytest.raises(AssertionError, match="heard nothing of idle"):
        log.until_idle(had)
    log.close()


def _heard(folder: Path, said: str) -> Log:
    process = Processes(folder).python("speaker", "-c", f"print({said!r}, end='')")
    process.wait()
    return Log(process, seconds=0.2)


# --- rollback ---------------------------------------------------------------------------------------------------------


def test_a_rollback_lasts_until_the_last_bad_answer_before_the_next_rollout() -> None:
    """The one at 19 comes long after; it was once outside the window that was looked at."""
    times = [Left(asked=0, decided=10), Left(asked=20, decided=30)]
    assert seconds_to_last([9, 10.25, 19, 29, 30.5], times) == [9, 0.5]


def test_nothing_after_the_decision_is_no_time_at_all_when_it_served_before() -> None:
    assert seconds_to_last([9.5], [Left(asked=0, decided=10)]) == [0]


@pytest.mark.parametrize(("bad", "asked"), [([], 0), ([1.0], 0), ([7.5], 8), ([10.25], 8)])
def test_a_bad_version_that_was_not_seen_to_serve_before_it_was_left_is_no_measurement(
    bad: list[float], asked: float
) -> None:
    """Never, long ago, by the rollout before, or only afterwards: silence would have been 0.0 s, and met."""
    with pytest.raises(Unmeasured, match=r"rollback 1 of 1: no answer of the bad version was seen in the 3 s before"):
        seconds_to_last(bad, [Left(asked=asked, decided=10)])


# --- small requests beside a large one --------------------------------------------------------------------------------


def test_a_small_request_that_failed_in_any_round_misses_the_goal() -> None:
    """The median of the rounds is no failure at all."""
    without = Turn([_answered(10)])
    refused = Turn([_answered(10), _answered(30, outcome="503")], [1.0])
    slowest, failed, large = ratios([(Turn([_answered(15)], [1.0]), without)] * 2 + [(refused, without)])
    assert (slowest.values, slowest.met) == ((1.5, 1.5, 3.0), True)
    assert (failed.values, failed.met) == ((1.0,), False)
    assert failed.note.endswith("; 1 x 503")
    assert large.values == (1.0, 1.0, 1.0)


def test_small_requests_beside_a_large_one_that_was_refused_are_no_measurement(tmp_path: Path) -> None:
    """Else refusing whatever is large would meet the goal."""
    with serving(Response("too large", 503)) as url:
        found = Site("embedded", "", "", [url], "", tmp_path, Processes(tmp_path), rows=[("good", "positive")])
        with pytest.raises(Unmeasured, match=r"nothing is beside it: POST /v1/predict: 503 too large"):
            Load(found, 0.1, ["good"]).beside()


def _answered(milliseconds: float, *, outcome: str = "200") -> Done:
    return Done("predict", 0.0, 0.0, milliseconds / 1e3, outcome, "", "")
