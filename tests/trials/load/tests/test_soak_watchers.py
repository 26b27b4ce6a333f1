"""What watches and drives a soak says what failed and goes on; the verdict hears of it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from controlplane.client.client import Client
from controlplane.store.database import Database
from tests.support.waiting import wait_for
from tests.trials.load.canaries import Canaries
from tests.trials.load.finding import Finding
from tests.trials.load.sampling import Sample, Watch
from tests.trials.load.tests.test_soak_verdict import WORK, guilty
from tests.trials.load.verdict import judge, judge_load, judge_rollouts, judge_watch

ONE, TWO = uuid4(), uuid4()


def found(findings: Iterator[Finding]) -> set[str]:
    return guilty(findings)


def test_a_watch_that_failed_once_goes_on_and_tells(sqlite_database: Database) -> None:
    turns = iter(range(1_000))

    def family() -> dict[int, str]:
        if next(turns) == 1:
            raise RuntimeError("database is locked")
        return {}

    watch = Watch(family, sqlite_database.url, every_seconds=0.01)
    watch.start()
    wait_for(lambda: len(watch.samples) >= 3, "it looks again", seconds=20)
    samples = watch.end()
    assert watch.errors == Counter({"RuntimeError: database is locked": 1})
    assert found(judge_watch(samples, watch.errors, 1.0)) == {"watch errors"}


def test_six_samples_of_ten_minutes_are_too_few_to_call_anything_flat() -> None:
    six = [Sample(5.0 * number, {}, {}, {}) for number in range(6)]
    assert found(judge_watch(six, Counter(), 600)) == {"watch samples"}
    assert guilty(judge(six[:1], WORK)) == {"watch samples"}
    assert found(judge_watch(six * 20, Counter(), 600)) == set()


class Api:
    """A control plane of rollouts only: each ends in the next of these phases, at the second look."""

    def __init__(self, *phases: str) -> None:
        self.serves = ONE
        self.asked: list[UUID] = []
        self.aborted = 0
        self._phases = iter(phases)
        self._looks = 0

    @contextmanager
    def connect(self) -> Iterator[Client]:
        yield cast(Client, self)

    def get_deployment(self, _name: str) -> Any:
        return SimpleNamespace(desired=SimpleNamespace(stable=self.serves))

    def start_rollout(self, _deployment: str, version: str, *, reason: str) -> Any:
        if UUID(version) == self.serves:
            raise ValueError("serves already")
        self.asked.append(UUID(version))
        self._looks = 0
        return SimpleNamespace(id=uuid4())

    def get_rollout(self, _id: UUID) -> Any:
        self._looks += 1
        phase = "Progressing" if self._looks < 2 else next(self._phases, "Paused")
        if phase == "lost":
            raise ConnectionError("the API is away")
        if phase == "Promoted":
            self.serves = self.asked[-1]
        return SimpleNamespace(phase=phase, reason="INCONCLUSIVE")

    def act_on_rollout(self, _id: UUID, verb: str, _reason: str) -> None:
        assert verb == "abort"
        self.aborted += 1


def released(api: Api, until: Callable[[Canaries], bool]) -> Canaries:
    with Canaries(api.connect, [ONE, TWO], look_seconds=0.001, longest_seconds=0.05) as canaries:
        wait_for(lambda: until(canaries), "it has come so far", seconds=20)
    return canaries


def test_the_next_version_is_the_one_that_does_not_serve_even_after_a_rollback() -> None:
    api = Api("Promoted", "RolledBack", "Promoted")
    canaries = released(api, lambda one: one.ended.total() >= 3)
    assert api.asked[:4] == [TWO, ONE, ONE, TWO][: len(api.asked)]
    assert (canaries.ended["Promoted"], canaries.ended["RolledBack"]) == (2, 1)
    # what is under way when the soak ends counts for nothing, and is no error
    assert {"rollouts ended"} == found(judge_rollouts(canaries.ended, Counter(), 600))
    assert set() == found(judge_rollouts(canaries.ended, Counter(), 360))


def test_a_rollout_that_never_ends_is_an_error_and_does_not_stop_the_others() -> None:
    api = Api("Paused")
    canaries = released(api, lambda one: one.ended["Aborted"] >= 2)
    assert api.aborted >= 2
    assert any("a rollout was Paused after 0.05 s" in text for text in canaries.errors)
    assert found(judge_rollouts(canaries.ended, canaries.errors, 60)) == {"rollouts ended", "rollouts errors"}


def test_an_error_of_the_api_is_told_and_the_next_rollout_has_its_turn() -> None:
    canaries = released(Api("lost", "Promoted"), lambda one: one.ended["Promoted"] >= 1)
    assert canaries.errors["ConnectionError: the API is away"] == 1
    assert found(judge_rollouts(canaries.ended, canaries.errors, 60)) == {"rollouts errors"}


def test_no_canary_at_all_is_found_and_how_they_ended_is_told() -> None:
    assert found(judge_rollouts(Counter(), Counter(), 90)) == {"rollouts ended"}
    ended = Counter({"Promoted": 4, "RolledBack": 1, "Aborted": 1})
    told = next(judge_rollouts(ended, Counter(), 600))
    assert told.ok
    assert told.text == "4 Promoted, 1 RolledBack, 1 Aborted (at least 5 by their evidence)"


def test_canaries_that_cannot_even_connect_are_told() -> None:
    @contextmanager
    def refuse() -> Iterator[Client]:
        raise ConnectionError("refused")
        yield

    canaries = Canaries(refuse, [ONE, TWO], look_seconds=0.001)
    with canaries:
        wait_for(lambda: bool(canaries.errors), "the error is kept", seconds=20)
    assert set(canaries.errors) == {"ConnectionError: refused"}
    assert "canaries" not in [thread.name for thread in threading.enumerate()]


def load(*, kept_up: bool = True, **targets: dict[str, Any]) -> dict[str, Any]:
    generator = {"kept_up": kept_up, "cpu_share": 0.1, "lag_ms": {"p99": 0.2}}
    return {"conditions": {"mix": {"predict": 1, "feedback": 1}}, "targets": targets, "generator": generator}


WELL: dict[str, Any] = {"sent": 9, "ok": 9, "errors": {}}


@pytest.mark.parametrize(
    ("document", "guilty_of"),
    [
        (load(predict=WELL, feedback=WELL), set()),
        (load(predict=WELL, feedback=WELL, kept_up=False), {"generator kept up"}),
        (load(predict=WELL), {"feedback requests"}),
        (load(predict=WELL, feedback={"sent": 0, "ok": 0, "errors": {}}), {"feedback requests"}),
        (load(predict=WELL, feedback={"sent": 9, "ok": 8, "errors": {"503": 1}}), {"feedback requests"}),
        # one that got no answer before the generator gave up is in neither count
        (load(predict=WELL, feedback={"sent": 9, "ok": 8, "errors": {}}), {"feedback requests"}),
    ],
    ids=["well", "fell behind", "nobody came", "nothing to ask", "an error", "lost"],
)
def test_each_target_was_asked_and_answered(document: dict[str, Any], guilty_of: set[str]) -> None:
    assert found(judge_load(document)) == guilty_of
