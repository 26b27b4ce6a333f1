"""The life of a job: the only place that says which phase follows which."""

from typing import Final, Literal, get_args

from schemas.phases import JobPhase

Transition = Literal["claimed", "completed", "failed", "retried", "released", "cancelled"]
"""What can happen to a job. `retried`: its attempt failed or its lease expired, and another attempt may follow."""

TRANSITION_NAMES: Final[tuple[Transition, ...]] = get_args(Transition)
PHASES: Final[tuple[JobPhase, ...]] = get_args(JobPhase)

TRANSITIONS: Final[dict[tuple[JobPhase, Transition], JobPhase]] = {
    ("Pending", "claimed"): "Running",
    ("Pending", "cancelled"): "Cancelled",
    ("Running", "completed"): "Succeeded",
    ("Running", "failed"): "Failed",
    ("Running", "retried"): "Pending",
    ("Running", "released"): "Pending",
    ("Running", "cancelled"): "Cancelled",
}

FIRST_BACKOFF_SECONDS: Final = 2.0
LONGEST_BACKOFF_SECONDS: Final = 300.0


def next_phase(phase: JobPhase, transition: Transition) -> JobPhase | None:
    """The phase that follows; None: that cannot happen in this phase, and nothing changes."""
    return TRANSITIONS.get((phase, transition))


def after_failure(failures: int, max_attempts: int, *, retryable: bool, cancel_requested: bool) -> Transition:
    """What an attempt's failure does to its job; `failures` counts this one."""
    if cancel_requested:
        return "cancelled"
    return "retried" if retryable and failures < max_attempts else "failed"


def after_release(*, cancel_requested: bool) -> Transition:
    return "cancelled" if cancel_requested else "released"


def backoff_seconds(failures: int) -> float:
    """How long the next attempt waits after so many failures: doubling, with a ceiling."""
    return float(min(FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 30), LONGEST_BACKOFF_SECONDS))
