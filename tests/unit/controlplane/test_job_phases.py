"""The life of a job: whatever happens, a finished one never moves again."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import cast, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.job import (
    LONGEST_BACKOFF_SECONDS,
    PHASES,
    TRANSITION_NAMES,
    TRANSITIONS,
    Transition,
    after_failure,
    after_release,
    backoff_seconds,
    next_phase,
)
from controlplane.domain.lease_expiry import live_since, presence_seconds
from controlplane.domain.roles import INCLUDES, may
from schemas.phases import FINAL_JOB_PHASES, JobPhase
from schemas.roles import Role

transitions = st.lists(st.sampled_from(TRANSITION_NAMES), max_size=30)


def live(phase: JobPhase, happened: list[Transition]) -> list[JobPhase]:
    """The phases of a job to which all that happens, in order; what cannot happen changes nothing."""
    phases = [phase]
    for transition in happened:
        phases.append(next_phase(phases[-1], transition) or phases[-1])
    return phases


@given(st.sampled_from(sorted(FINAL_JOB_PHASES)), transitions)
def test_a_finished_job_never_moves_again(phase: str, happened: list[Transition]) -> None:
    assert set(live(cast(JobPhase, phase), happened)) == {phase}


@given(transitions)
def test_a_job_ends_only_once_and_only_through_the_table(happened: list[Transition]) -> None:
    phases = live("Pending", happened)
    ends = [after for before, after in pairwise(phases) if after in FINAL_JOB_PHASES and before not in FINAL_JOB_PHASES]
    assert len(ends) <= 1
    moves = {(before, after) for before, after in pairwise(phases) if before != after}
    assert moves <= {(phase, after) for (phase, _), after in TRANSITIONS.items()}


def test_every_phase_can_be_reached_and_every_unfinished_one_can_be_left() -> None:
    assert set(TRANSITIONS.values()) == set(PHASES)
    assert {phase for phase, _ in TRANSITIONS} == set(PHASES) - FINAL_JOB_PHASES


def test_only_a_running_job_can_succeed_or_fail() -> None:
    assert {phase for phase, transition in TRANSITIONS if transition in ("completed", "failed")} == {"Running"}


@given(st.integers(1, 30), st.integers(1, 20), st.booleans())
def test_a_cancelled_job_is_not_tried_again(failures: int, max_attempts: int, retryable: bool) -> None:
    assert after_failure(failures, max_attempts, retryable=retryable, cancel_requested=True) == "cancelled"
    assert after_release(cancel_requested=True) == "cancelled"


@given(st.integers(1, 30), st.integers(1, 20), st.booleans())
def test_a_retry_needs_a_retryable_failure_and_an_attempt_left(failures: int, most: int, retryable: bool) -> None:
    transition = after_failure(failures, most, retryable=retryable, cancel_requested=False)
    assert (transition == "retried") == (retryable and failures < most)


@given(st.integers(1, 10_000))
def test_the_wait_grows_up_to_a_ceiling(failures: int) -> None:
    assert backoff_seconds(failures) <= backoff_seconds(failures + 1) <= LONGEST_BACKOFF_SECONDS


def test_the_wait_doubles_from_two_seconds() -> None:
    assert [backoff_seconds(failures) for failures in (1, 2, 3, 7, 8, 9, 31, 10_000)] == [
        2,
        4,
        8,
        128,
        256,
        300,
        300,
        300,
    ]


def test_what_is_released_is_offered_again() -> None:
    assert after_release(cancel_requested=False) == "released"
    assert next_phase("Running", "released") == "Pending"
    assert next_phase("Pending", "completed") is None


def test_an_api_is_live_for_a_third_of_a_lease_and_leases_expire_after_a_whole_one() -> None:
    assert presence_seconds(30.0) == 10.0
    noon = datetime(2026, 11, 29, 12, tzinfo=UTC)
    assert live_since(noon, 30.0) == noon - timedelta(seconds=30)


@pytest.mark.parametrize("role", get_args(Role))
def test_a_role_may_what_it_includes_and_no_more(role: Role) -> None:
    assert {needed for needed in get_args(Role) if may(role, needed)} == INCLUDES[role]
    assert may(role, role)
