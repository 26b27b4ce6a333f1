"""The rollout's table: what may follow what, and what evidence asks for in each situation."""

from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.analysis.unit_counts import Arrived
from controlplane.domain.analysis.verdict import Assessment, Ladder
from controlplane.domain.rollout import (
    TRANSITIONS,
    VERBS,
    Move,
    Served,
    Situation,
    asked_for,
    check_transition,
    check_verb,
    fold_pause,
    gains,
    next_move,
    predecessor,
    retry_pause,
)
from controlplane.errors import Conflict
from schemas.phases import ACTIVE_ROLLOUT_PHASES, FINAL_ROLLOUT_PHASES
from schemas.rollouts import CanaryPolicy
from tests.support.serving_periods import Period

A, B, C, D = (UUID(int=number) for number in (1, 2, 3, 4))
POLICY = CanaryPolicy()


def assessed(verdict: Any = None, rule: Any = "none", *, may_leave: bool = False, last: bool = False) -> Assessment:
    return Assessment(
        verdict=verdict,
        rule=rule,
        reason="planted",
        ladder=Ladder(step=0, weight=0.05, last=last, may_leave=may_leave, reason="planted"),
        metrics=(),
        sample_ratio=0.0,
        sample_ratio_needed=6.9,
        labelled=None,
        arrived=Arrived(),
        unfolded=Arrived(),
        seconds=1.0,
    )


def at(phase: Any = "Progressing", **where: Any) -> Situation:
    return Situation(**{"phase": phase, "hold": None, "verdict": None, "weight": 0.05, "invalid_seconds": 0.0, **where})


def test_every_phase_is_active_final_or_queued() -> None:
    assert ACTIVE_ROLLOUT_PHASES | FINAL_ROLLOUT_PHASES | {"Queued"} == TRANSITIONS.keys()
    assert all(not TRANSITIONS[phase] for phase in FINAL_ROLLOUT_PHASES)
    assert all("Aborted" in TRANSITIONS[phase] for phase in ACTIVE_ROLLOUT_PHASES | {"Queued"})


@pytest.mark.parametrize("phase", sorted(FINAL_ROLLOUT_PHASES))
def test_what_is_final_stays(phase: Any) -> None:
    with pytest.raises(Conflict):
        check_transition(phase, "Progressing")
    for verb in VERBS:
        with pytest.raises(Conflict, match=phase):
            check_verb(verb, phase)


def test_a_refusal_says_what_is_and_what_would_have_to_be() -> None:
    check_transition("Paused", "Promoted")
    check_verb("promote", "Paused")
    with pytest.raises(Conflict) as refused:
        check_transition("Queued", "Promoted")
    assert refused.value.detail == "a rollout that is Queued cannot become Promoted"
    with pytest.raises(Conflict) as refused:
        check_verb("promote", "Gating")
    assert refused.value.detail == "the rollout is Gating: promote is possible while it is Paused or Progressing"


def test_traffic_comes_only_after_verification() -> None:
    assert [phase for phase, following in TRANSITIONS.items() if "Progressing" in following] == [
        "Verifying",
        "Progressing",
        "Paused",
    ]


@pytest.mark.parametrize("situation", [at(), at("Paused", hold="operator"), at("Paused", verdict="INVALID")])
def test_harm_is_acted_upon_everywhere(situation: Situation) -> None:
    assert next_move(POLICY, assessed("HARM", "harm"), situation) == "roll_back"


@pytest.mark.parametrize(
    ("assessment", "move"),
    [
        (assessed(), "stay"),
        (assessed(may_leave=True), "advance"),
        (assessed(may_leave=True, last=True), "stay"),
        (assessed("SAFE", "safe", may_leave=True, last=True), "promote"),
        (assessed("INCONCLUSIVE", "max_duration"), "hold"),
        (assessed("INVALID", "sample_ratio"), "invalidate"),
    ],
)
def test_progressing(assessment: Assessment, move: str) -> None:
    assert next_move(POLICY, assessment, at()) == move


@pytest.mark.parametrize(
    "assessment", [assessed(may_leave=True), assessed("SAFE", "safe"), assessed("INCONCLUSIVE", "max_duration")]
)
def test_paused_the_ladder_stands(assessment: Assessment) -> None:
    assert next_move(POLICY, assessment, at("Paused", hold="operator")) == "stay"


@pytest.mark.parametrize(("choice", "move"), [("hold", "hold"), ("rollback", "roll_back"), ("promote", "promote")])
def test_the_policy_says_what_inconclusive_means(choice: Any, move: str) -> None:
    policy = CanaryPolicy(on_inconclusive=choice)
    assert next_move(policy, assessed("INCONCLUSIVE", "max_duration"), at()) == move


def test_invalid_keeps_its_weight_for_the_grace_and_no_longer() -> None:
    invalid = assessed("INVALID", "sample_ratio")
    assert next_move(POLICY, invalid, at("Paused", verdict="INVALID", invalid_seconds=299)) == "stay"
    assert next_move(POLICY, invalid, at("Paused", verdict="INVALID", invalid_seconds=300)) == "withdraw"
    assert next_move(POLICY, invalid, at("Paused", verdict="INVALID", invalid_seconds=300, weight=0.0)) == "stay"


def test_lost_gateways_get_no_grace() -> None:
    assert next_move(POLICY, assessed("INVALID", "lost_boots"), at("Paused", verdict="INVALID")) == "withdraw"


def test_what_ends_by_itself_is_recovered_from() -> None:
    assert next_move(POLICY, assessed(), at("Paused", hold="invalid", verdict="INVALID")) == "recover"


def test_a_fold_rests_longer_the_longer_a_rollout_lasts() -> None:
    assert [fold_pause(hours * 3600) for hours in (0, 0.5, 1, 1.5, 5, 24)] == [0.0, 0.0, 0.0, 1.5, 5.0, 10.0]


def test_a_fold_that_failed_rests_longer_each_time_up_to_a_minute() -> None:
    assert [retry_pause(failures) for failures in (0, 1, 2, 5, 6, 10, 11, 5000)] == [1, 2, 4, 32, 60, 60, 60, 60]


@pytest.mark.parametrize("name", ["lease_seconds", "boot_silence_seconds"])
def test_a_deadline_that_would_silence_a_gateway_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"deadline_seconds is 5: expected less than {name}, 5"):
        CanaryPolicy.model_validate({name: 5})


@pytest.mark.parametrize("name", ["lease_seconds", "boot_silence_seconds"])
def test_a_stream_that_would_silence_a_gateway_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"deadline_total_seconds is 14: expected less than {name}, 14"):
        CanaryPolicy.model_validate({name: 14, "deadline_total_seconds": 14})


def test_a_whole_answer_has_at_least_the_time_of_its_first_token() -> None:
    with pytest.raises(ValueError, match="deadline_total_seconds is 4: expected at least deadline_seconds, 5"):
        CanaryPolicy(deadline_total_seconds=4)
    assert CanaryPolicy(deadline_total_seconds=5).total_deadline() == 5


@pytest.mark.parametrize(
    ("policy", "total"),
    [
        ({}, 12.0),
        ({"deadline_seconds": 14}, 14.0),
        ({"lease_seconds": 10}, 8.0),
        ({"boot_silence_seconds": 6}, 5.0),
        ({"lease_seconds": 60, "boot_silence_seconds": 100}, 48.0),
        ({"deadline_seconds": 0.5, "deadline_total_seconds": 3}, 3.0),
    ],
)
def test_who_names_no_total_deadline_gets_one_that_silences_no_gateway(policy: dict[str, float], total: float) -> None:
    made = CanaryPolicy.model_validate(policy)
    assert made.total_deadline() == total
    assert total < min(made.lease_seconds, made.boot_silence_seconds)


def test_a_decision_is_asked_for_again() -> None:
    assert asked_for("HARM", assessed("HARM", "harm"))
    assert not asked_for("HARM", assessed())
    assert not asked_for("HARM", assessed("SAFE", "safe"))
    assert asked_for("ADVANCE", assessed(may_leave=True))
    assert not asked_for("ADVANCE", assessed(may_leave=False))
    assert not asked_for("ADVANCE", assessed(may_leave=True, last=True))
    assert asked_for("VALID", assessed("HARM", "harm"))
    assert not asked_for("ADVANCE", assessed("HARM", "harm", may_leave=True))
    assert asked_for("VALID", assessed())
    assert not asked_for("VALID", assessed("INVALID", "sample_ratio"))


@pytest.mark.parametrize(
    ("history", "before"),
    [
        ("", None),
        ("A", None),
        ("A A B", A),
        ("A B C", B),
        ("A B C <B", A),
        ("A B C <B <A", None),
        ("A B <A C", A),
        ("A B A", B),
        ("A B A <B", A),
        ("A B A <B <A", None),
        ("A B A C <A", B),
        ("A B C <A B", A),
        ("A B C <B <C", B),
    ],
)
def test_the_predecessor_is_what_served_before_and_not_what_was_left(history: str, before: UUID | None) -> None:
    """A letter: that version's release; `<`: a rollback to it."""
    versions = {"A": A, "B": B, "C": C}
    steps = [Served(versions[step[-1]], by_rollback=step[0] == "<") for step in history.split()]
    assert predecessor(steps) == before


@given(
    st.lists(st.tuples(st.sampled_from(["release", "rollback", "target"]), st.sampled_from([A, B, C, D])), max_size=40)
)
def test_after_any_history_the_predecessor_is_what_the_present_period_was_laid_on(
    moves: list[tuple[str, UUID]],
) -> None:
    period, history = Period(A), [Served(A, by_rollback=False)]
    for kind, version in moves:
        if kind == "release" and version != period.version:
            period = period.release(version)
        elif kind == "rollback" and period.below:
            period = period.roll_back()
        elif kind == "target" and version != period.version and Served(version, by_rollback=False) in history:
            period = period.roll_back(version)
        # a move that is not allowed leaves a generation with the same version, as a change of the policy does
        history.append(Served(period.version, by_rollback=kind != "release"))
        assert predecessor(history) == (period.below.version if period.below else None)


@pytest.mark.parametrize("move", get_args(Move))
@pytest.mark.parametrize(
    "situation",
    [
        at(),
        at("Paused", hold="operator", weight=0.0),
        at("Paused", hold="invalid"),
        at("Paused", hold="invalid", weight=0.0),
    ],
    ids=["under way", "paused by a person", "invalid with its weight", "invalid without weight"],
)
def test_what_gives_a_version_more_traffic_waits_while_it_is_held(move: Move, situation: Situation) -> None:
    comes_back = move == "recover" and (situation.hold, situation.weight) == ("invalid", 0.0)
    assert gains(move, situation) == (move in {"advance", "promote"} or comes_back)
