"""Observations and states written short, for the tests of the canary analysis."""

from collections.abc import Iterable
from uuid import UUID

from controlplane.domain.analysis.cohorts import Label
from controlplane.domain.analysis.fold import Batch, fold
from controlplane.domain.analysis.state import AnalysisState, begin, enter
from schemas.rollouts import CanaryPolicy, ErrorMetric, WrongMetric
from schemas.serving import Arm, ArmCounts, GenerationSecond, Observation, SessionUnit, UnitEnd

BOTH = CanaryPolicy(metrics=(ErrorMetric(), WrongMetric(name="wrong", margin=0.05)), label_wait_seconds=0)
PATIENT = BOTH.model_copy(update={"label_wait_seconds": 30.0})
ERRORS = CanaryPolicy()


def started(policy: CanaryPolicy, *weights: float) -> AnalysisState:
    """Generations 1, 2, … in steps 0, 1, …, all known from the start."""
    state = begin(policy, started_at=0.0)
    for step, weight in enumerate(weights or policy.steps[:1]):
        state = enter(state, step + 1, step, weight)
    return state


def cell(
    generation: int,
    weight: float,
    stable: tuple[int, ...] = (0, 0),
    canary: tuple[int, ...] = (0, 0),
    sessions: Iterable[tuple[str, Arm, UnitEnd]] = (),
) -> GenerationSecond:
    """Arms are (units, errors), or (units, errors, abandoned)."""
    return GenerationSecond(
        generation=generation,
        applied_weight=weight,
        stable=_arm(*stable),
        canary=_arm(*canary),
        sessions=tuple(SessionUnit(key_hash=key * 32, arm=arm, end=end) for key, arm, end in sessions),
    )


def _arm(units: int, error: int, abandoned: int = 0) -> ArmCounts:
    return ArmCounts(units=units, error=error, abandoned=abandoned)


def observed(second: int, *cells: GenerationSecond, boot: int = 1) -> Observation:
    return Observation(boot=UUID(int=boot), second=second, generations=cells)


def folded(
    policy: CanaryPolicy,
    state: AnalysisState,
    horizon: int,
    observations: Iterable[Observation] = (),
    labels: Iterable[Label] = (),
) -> AnalysisState:
    return fold(policy, state, Batch(horizon, list(observations), horizon, list(labels)))


def labels_of(generation: int, second: int, stable: tuple[int, int], canary: tuple[int, int]) -> list[Label]:
    """Stored as soon as they were served. Arms are (units, wrong ones)."""
    arms: tuple[tuple[Arm, tuple[int, int]], ...] = (("stable", stable), ("canary", canary))
    return [
        Label(generation, arm, number < wrong, second, second)
        for arm, (units, wrong) in arms
        for number in range(units)
    ]
