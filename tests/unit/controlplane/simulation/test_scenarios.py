"""What a world asks of a policy, and what its table says of labels and stalls."""

import pytest

from controlplane.simulation.scenario import LabelChances, Late
from controlplane.simulation.scenarios import (
    SCENARIOS,
    applicable,
    blind_to_hang_ups,
    by_request,
    by_session,
    flat_tenth,
    noisy,
    sessions_with_labels,
    waiting,
    watching_hang_ups,
)
from schemas.rollouts import AbandonedMetric, CanaryPolicy, ErrorMetric, WrongMetric
from schemas.serving import Arm

ERRORS = CanaryPolicy()
LABELLED = CanaryPolicy(metrics=(WrongMetric(name="wrong", margin=0.05),))
BOTH = CanaryPolicy(metrics=(*ERRORS.metrics, *LABELLED.metrics))


@pytest.mark.parametrize(
    ("arm", "wrong", "place"), [("stable", False, 0), ("stable", True, 1), ("canary", False, 2), ("canary", True, 3)]
)
def test_labels_come_by_arm_and_by_whether_the_answer_was_wrong(arm: Arm, wrong: bool, place: int) -> None:
    assert LabelChances(0.1, 0.2, 0.3, 0.4).of(arm, wrong) == (0.1, 0.2, 0.3, 0.4)[place]
    assert Late(1.0, 2.0, 3.0, 4.0).of(arm, wrong) == (1.0, 2.0, 3.0, 4.0)[place]


def test_a_world_is_played_only_for_a_policy_with_the_metrics_that_it_is_about() -> None:
    assert [applicable(SCENARIOS["errors-1-to-5"], policy) for policy in (ERRORS, LABELLED, BOTH)] == [
        True,
        False,
        True,
    ]
    assert [applicable(SCENARIOS["wrong-18-to-26"], policy) for policy in (ERRORS, LABELLED, BOTH)] == [
        False,
        True,
        True,
    ]
    assert all(applicable(SCENARIOS["equal"], policy) for policy in (ERRORS, LABELLED, BOTH))


def test_a_question_about_errors_is_asked_without_the_other_metric() -> None:
    asked = by_session(BOTH)
    assert (asked.metrics, asked.randomize) == ((ErrorMetric(),), "session")
    asked = by_request(by_session(BOTH))
    assert (asked.metrics, asked.randomize) == ((ErrorMetric(),), "request")


def test_a_question_about_labelled_sessions_keeps_both_metrics() -> None:
    assert sessions_with_labels(BOTH) == BOTH.model_copy(update={"randomize": "session"})


def test_a_world_may_ask_for_a_wait_or_for_noise_and_changes_nothing_else() -> None:
    assert waiting(150)(BOTH) == BOTH.model_copy(update={"label_wait_seconds": 150})
    assert noisy(0.2)(BOTH) == BOTH.model_copy(update={"label_noise": 0.2})


def test_a_world_of_hang_ups_lists_the_metric_once_or_leaves_it_out() -> None:
    watching = watching_hang_ups(BOTH)
    assert watching.metrics == (*BOTH.metrics, AbandonedMetric(name="abandoned", margin=0.01))
    assert watching_hang_ups(watching) == watching
    assert blind_to_hang_ups(watching) == BOTH


def test_a_flat_tenth_is_left_by_no_rollout() -> None:
    flat = flat_tenth(BOTH)
    assert (flat.metrics, flat.steps, flat.step_seconds) == ((ErrorMetric(),), (0.1, 0.5), 1e9)


def test_the_worlds_of_stalls_are_named_after_how_long_and_how_often_they_stall() -> None:
    stalls = [world for name, world in SCENARIOS.items() if name.startswith("stalls-")]
    assert [(world.name, world.stall_seconds, world.stall_every) for world in stalls] == [
        ("stalls-1s-2000", 1, 2000),
        ("stalls-3s-2000", 3, 2000),
        ("stalls-5s-2000", 5, 2000),
        ("stalls-1s-20000", 1, 20_000),
        ("stalls-3s-20000", 3, 20_000),
        ("stalls-5s-20000", 5, 20_000),
    ]
    assert stalls[-1].description == "equal; either lane stalls for 5 s in 20,000 requests"
    assert {(world.kind, world.fold_seconds) for world in stalls} == {("healthy", 10)}
