"""The analysis of one rollout between two folds: frozen, and through JSON and back bit for bit."""

from collections.abc import Iterable
from math import fsum
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from controlplane.domain.analysis.dispersion import Dispersion
from controlplane.domain.analysis.eprocess import ODDS_RATIOS, Counts, Forecast, harm_log_e, sum_counts
from controlplane.domain.analysis.sample_ratio import log_bayes_factor
from controlplane.domain.analysis.unit_counts import Arrived
from schemas.rollouts import CanaryPolicy, CanaryVerdict
from schemas.serving import CanaryMetricName

FINAL_VERDICTS: Final = ("HARM", "SAFE")
NEVER: Final = -1
NO_EVIDENCE: Final = (0.0,) * len(ODDS_RATIOS)


class Window(NamedTuple):
    """Half a tick of a block, by the second of arrival."""

    number: int
    """Which half tick it is since the block was opened, counted from 0."""
    arrived: Arrived
    labelled: Counts
    """Units with a label, and wrong ones among them."""


class OpenBlock(NamedTuple):
    """Units of one generation since second `opened`, until a tick has passed and both arms have some."""

    generation: int
    opened: int
    windows: tuple[Window, ...]


class Cohort(NamedTuple):
    """A block of arrivals that is closed, and whose labels still come."""

    generation: int
    opened: int
    closed: int
    windows: tuple[Window, ...]


class Block(NamedTuple):
    """One metric's counts under one generation, from second `opened` to second `closed`, both included."""

    generation: int
    opened: int
    closed: int
    counts: Counts
    dispersion: Dispersion
    """The sums from which the dispersion index of this block's own windows follows."""
    phi: float = 1.0
    """The dispersion index of all blocks so far: what its evidence was divided by, if it was more than 1."""


class GenerationState(NamedTuple):
    """A generation with a canary weight, and its folded units: what the sample ratio is asked of."""

    generation: int
    step: int
    weight: float
    stable_units: int = 0
    canary_units: int = 0

    def plus(self, found: Arrived) -> "GenerationState":
        return self._replace(
            stable_units=self.stable_units + found.stable_units, canary_units=self.canary_units + found.canary_units
        )

    def log_bayes_factor(self) -> float:
        return log_bayes_factor(self.stable_units, self.canary_units, self.weight)


class _State(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepState(_State):
    """One step of the ladder. In session mode a key counts once in it, at its first exposure."""

    step: int
    first_second: int | None = None
    keys: tuple[tuple[str, int], ...] = ()
    """Each key and the second of its first exposure; its label is the one of an answer of that second."""


class StepUnits(NamedTuple):
    step: int
    counts: Counts


class MetricState(_State):
    """The two e-processes of one metric in logs, and every block that they were made of."""

    name: CanaryMetricName
    forecast: Forecast = Forecast()
    dispersion: Dispersion = Dispersion()
    harm: tuple[float, ...] = NO_EVIDENCE
    harm_peak: float = 0.0
    """The largest log E so far: harm, once shown, stays shown however many blocks one fold closes."""
    safe: float = 0.0
    waiting: tuple[Block, ...] = ()
    """For the metric `wrong`: blocks of mature cohorts in which an arm has no label yet; later cohorts are added."""
    closed: tuple[Block, ...] = ()
    steps: tuple[StepUnits, ...] = ()

    def harm_now(self) -> float:
        return harm_log_e(self.harm)

    def in_step(self, step: int) -> Counts:
        return next((entry.counts for entry in self.steps if entry.step == step), Counts())

    def total(self) -> Counts:
        """What the closed blocks hold: the evidence."""
        return total_of(self.closed)


class LabelledShare(_State):
    """Whether the arms' answers get labels equally often, in logs: units are answers, events are those with a label."""

    forecast: Forecast = Forecast()
    dispersion: Dispersion = Dispersion()
    more: tuple[float, ...] = NO_EVIDENCE
    """F1: the canary's answers get more labels."""
    fewer: tuple[float, ...] = NO_EVIDENCE
    peak: float = 0.0
    """The largest log E of both so far."""
    closed: tuple[Block, ...] = ()

    def now(self) -> float:
        """The log E of both directions after the last block."""
        return harm_log_e((*self.more, *self.fewer))

    def total(self) -> Counts:
        return total_of(self.closed)


class AnalysisState(_State):
    """Everything that a fold needs from the folds before it."""

    started_at: float
    horizon: int = NEVER
    """T: the arrival second up to which observations are folded."""
    labels_horizon: int = NEVER
    """The arrival second up to which labels are folded: those of its units have been waited for."""
    generations: tuple[GenerationState, ...] = ()
    steps: tuple[StepState, ...] = ()
    newest: int = NEVER
    """The newest generation met: an older one that is no longer met is over."""
    open: tuple[OpenBlock, ...] = ()
    cohorts: tuple[Cohort, ...] = ()
    """Empty where the policy has no metric that needs labels."""
    arrived: Arrived = Arrived()
    """Everything that was folded."""
    dropped: Arrived = Arrived()
    """What was in blocks that never got both arms."""
    late_labels: Counts = Counts()
    """Labels, and wrong ones among them, that came after their cohort's wait or belong to no block: never folded."""
    metrics: tuple[MetricState, ...]
    labelled: LabelledShare = LabelledShare()
    sample_ratio_peak: float = 0.0
    sample_ratio_at_peak: tuple[GenerationState, ...] = ()
    """The counts that had the largest Bayes factor so far: what `sample_ratio_peak` is made of."""
    unfolded: Arrived = Arrived()
    """Units served at another weight than their generation's: recorded, never folded."""
    lost_boots: tuple[str, ...] = ()
    verdict: CanaryVerdict | None = Field(default=None)
    """Set by `conclude`; after HARM or SAFE nothing is folded."""

    @property
    def step(self) -> int:
        """The step that the rollout is in; 0 before the first generation."""
        return self.generations[-1].step if self.generations else 0

    def step_state(self, step: int) -> StepState:
        return next((entry for entry in self.steps if entry.step == step), StepState(step=step))

    def sample_ratio_log_e(self) -> float:
        """The product over generations, as a log."""
        return ratio_log_e(self.generations)


def begin(policy: CanaryPolicy, started_at: float) -> AnalysisState:
    return AnalysisState(started_at=started_at, metrics=tuple(MetricState(name=name) for name in policy.metric_names()))


def enter(state: AnalysisState, generation: int, step: int, weight: float) -> AnalysisState:
    """The rollout is given a new generation with a canary weight, in the same step or in a later one."""
    if not 0 < weight < 1:
        raise ValueError(f"weight is {weight}: only a generation with a canary weight between 0 and 1 is analysed")
    if state.generations and generation <= state.generations[-1].generation:
        raise ValueError(f"generation is {generation}: expected more than {state.generations[-1].generation}")
    if step < state.step:
        raise ValueError(f"step is {step}: the rollout is in step {state.step} and never goes back")
    steps = state.steps if any(entry.step == step for entry in state.steps) else (*state.steps, StepState(step=step))
    generations = (*state.generations, GenerationState(generation, step, weight))
    return state.model_copy(update={"generations": generations, "steps": steps})


def conclude(state: AnalysisState, verdict: CanaryVerdict) -> AnalysisState:
    return state.model_copy(update={"verdict": verdict})


def ratio_log_e(generations: Iterable[GenerationState]) -> float:
    return fsum(entry.log_bayes_factor() for entry in generations)


def total_of(blocks: Iterable[Block]) -> Counts:
    return sum_counts(block.counts for block in blocks)
