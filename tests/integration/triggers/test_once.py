"""Once each: the same key, the same event by two doors, and any prefix of the log again."""

import threading
from collections import Counter
from typing import Any

import pytest

from tests.support.triggers import (
    evaluations,
    outcomes,
    runs,
    send,
    trigger,
)
from tests.support.worlds.in_process import InProcess


def test_the_same_key_at_the_same_time_fires_once(site: InProcess) -> None:
    """Eight different events with one key, through eight connections."""
    trigger(site, dedupe_key="${event.data.batch}", params={})
    trigger(site, "paced", dedupe_key=None, params={}, daily_budget=3)
    start = threading.Barrier(8)
    answers: list[list[dict[str, Any]]] = []

    def outsider(n: int) -> None:
        start.wait()
        answers.append(send(site, f"e{n}", data={"batch": "same"}))

    threads = [threading.Thread(target=outsider, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted = Counter((e["trigger"], e["outcome"]) for found in answers for e in found)
    assert counted == {
        ("on-batch", "fired"): 1,
        ("on-batch", "duplicate"): 7,
        ("paced", "fired"): 3,
        ("paced", "budget"): 5,
    }
    assert len(runs(site)) == 4


def test_one_event_at_the_same_time_by_two_doors_has_its_effect_once(site: InProcess) -> None:
    trigger(site)
    for n in range(10):
        start = threading.Barrier(2)
        answers: list[list[dict[str, Any]]] = []

        def door(event_id: str, start: threading.Barrier = start, answers: list[Any] = answers) -> None:
            start.wait()
            answers.append(send(site, event_id))

        threads = [threading.Thread(target=door, args=(f"e{n}",)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 2
        assert answers[0] == answers[1]
        assert outcomes(answers[0]) == ["fired"]
    assert len(runs(site)) == 10


@pytest.mark.parametrize("prefix", [1, 4, 9])
def test_replaying_any_prefix_of_events_changes_nothing(site: InProcess, prefix: int) -> None:
    trigger(site, dedupe_key="${event.data.batch}", params={}, daily_budget=3)
    events = [(str(n), {"batch": n % 4}) for n in range(9)]
    first = [send(site, event_id, data=data) for event_id, data in events]
    before = (runs(site), evaluations(site))
    again = [send(site, event_id, data=data) for event_id, data in events[:prefix]]
    assert again == first[:prefix]
    assert (runs(site), evaluations(site)) == before
