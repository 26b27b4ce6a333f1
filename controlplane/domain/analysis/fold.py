"""The fold: observations and labels up to a horizon become evidence, the same however they were batched."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.domain.analysis.arrivals import Arrivals, Draft, Seconds, draft
from controlplane.domain.analysis.blocks import add_block, add_share, block_of
from controlplane.domain.analysis.cohorts import Cohorts, Label, label_wait
from controlplane.domain.analysis.dispersion import dispersion_of
from controlplane.domain.analysis.eprocess import Counts, sum_counts
from controlplane.domain.analysis.intake import Intake
from controlplane.domain.analysis.state import (
    FINAL_VERDICTS,
    AnalysisState,
    Block,
    Cohort,
    GenerationState,
    LabelledShare,
    MetricState,
    OpenBlock,
    StepUnits,
    ratio_log_e,
)
from controlplane.domain.analysis.unit_counts import Arrived, end_metric, sum_arrived
from schemas.rollouts import CanaryPolicy
from schemas.serving import Observation

Steps = Mapping[int, int]
"""Generation to step."""


@dataclass(frozen=True)
class Batch:
    """Everything stored up to `horizon` (arrival) and `labels_until` (storing of labels), in any order."""

    horizon: int
    observations: Sequence[Observation] = ()
    labels_until: int = -1
    labels: Sequence[Label] = ()
    lost_boots: Sequence[str] = ()


def fold(policy: CanaryPolicy, state: AnalysisState, batch: Batch) -> AnalysisState:
    """Advance to the batch's horizons: what is at or below the state's own changes nothing, what is beyond waits."""
    if state.verdict in FINAL_VERDICTS:
        return state
    horizon = max(batch.horizon, state.horizon)
    intake = Intake(state)
    intake.take(batch.observations, horizon)
    arrivals = Arrivals(policy, state)
    closed = list(arrivals.advance(intake.arrivals, horizon))
    updates = {
        "horizon": horizon,
        "generations": tuple(_counted(state, intake.arrivals)),
        "steps": intake.steps(),
        "newest": arrivals.newest,
        "arrived": sum_arrived([state.arrived, *_each(intake.arrivals)]),
        "dropped": sum_arrived([state.dropped, *(block.total for block in arrivals.dropped)]),
        "unfolded": intake.unfolded,
        "lost_boots": tuple(sorted({*state.lost_boots, *batch.lost_boots})),
        **_sample_ratio(state, intake.arrivals),
    }
    ends = {"metrics": tuple(_ends(policy, one, closed, intake) for one in state.metrics)}
    return _labels(policy, state.model_copy(update=updates | ends), batch, _Blocks(arrivals, closed, intake))


def labels_horizon(policy: CanaryPolicy, state: AnalysisState, horizon: int, labels_until: int) -> int:
    """The arrival second up to which the wait for labels is over, when observations and labels are read so far."""
    return max(state.labels_horizon, min(max(horizon, state.horizon), labels_until - label_wait(policy)))


# --- units ------------------------------------------------------------------------------------------------------------


def _ends(policy: CanaryPolicy, metric: MetricState, closed: Iterable[Draft], intake: Intake) -> MetricState:
    name = end_metric(metric.name)
    if name is None:
        return metric
    present = ((number, found.of(name)) for second in intake.arrivals.values() for number, found in second.items())
    metric = metric.model_copy(update={"steps": _in_steps(metric, present, intake.steps_of)})
    for block in closed:
        metric = add_block(policy, metric, _block(block, [found.of(name) for found in block.arrived.values()]))
    return metric


def _each(arrivals: Seconds) -> Iterator[Arrived]:
    for present in arrivals.values():
        yield from present.values()


def _in_steps(metric: MetricState, present: Iterable[tuple[int, Counts]], steps_of: Steps) -> tuple[StepUnits, ...]:
    steps = {entry.step: entry.counts for entry in metric.steps}
    for generation, counts in present:
        if counts.units:
            step = steps_of[generation]
            steps[step] = steps.get(step, Counts()).plus(counts)
    return tuple(StepUnits(step, counts) for step, counts in sorted(steps.items()))


def _block(block: Draft, windows: list[Counts]) -> Block:
    assert block.closed is not None
    return block_of(block.generation, (block.opened, block.closed), windows)


def _counted(state: AnalysisState, arrivals: Seconds) -> Iterator[GenerationState]:
    for entry in state.generations:
        found = (present[entry.generation] for present in arrivals.values() if entry.generation in present)
        yield entry.plus(sum_arrived(found))


def _sample_ratio(state: AnalysisState, arrivals: Seconds) -> dict[str, Any]:
    """The largest Bayes factor on the way, and the counts that had it: asked after every second."""
    generations = {entry.generation: entry for entry in state.generations}
    peak, at_peak = state.sample_ratio_peak, state.sample_ratio_at_peak
    for _, present in sorted(arrivals.items()):
        for generation, found in present.items():
            generations[generation] = generations[generation].plus(found)
        if (now := ratio_log_e(generations.values())) > peak:
            peak, at_peak = now, tuple(generations.values())
    return {"sample_ratio_peak": peak, "sample_ratio_at_peak": at_peak}


# --- labels -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Blocks:
    """What this fold made of the arrivals."""

    arrivals: Arrivals
    closed: list[Draft]
    intake: Intake


def _labels(policy: CanaryPolicy, state: AnalysisState, batch: Batch, blocks: _Blocks) -> AnalysisState:
    """The arrivals of this fold are in `state`; its cohorts are those of the fold before."""
    until = labels_horizon(policy, state, state.horizon, batch.labels_until)
    opened = list(blocks.arrivals.open.values())
    if "wrong" not in policy.metric_names():
        return state.model_copy(update={"labels_horizon": until, "open": _open(opened)})
    half_tick = policy.tick_seconds / 2
    waiting = [draft(cohort, half_tick) for cohort in state.cohorts]
    cohorts = Cohorts(label_wait(policy), [*waiting, *blocks.closed, *opened])
    mature = list(cohorts.advance(list(blocks.intake.counted(batch.labels)), state.labels_horizon, until))
    lost = [one for block in blocks.arrivals.dropped for one in block.labelled.values()]
    return state.model_copy(
        update={
            "labels_horizon": until,
            "open": _open(opened),
            "cohorts": tuple(_cohort(block) for block in cohorts.waiting() if block.closed is not None),
            "late_labels": sum_counts([state.late_labels, cohorts.late, *lost]),
            "labelled": _share(policy, state.labelled, mature),
            "metrics": tuple(_wrong(policy, one, mature, blocks.intake.steps_of) for one in state.metrics),
        }
    )


def _open(blocks: Iterable[Draft]) -> tuple[OpenBlock, ...]:
    return tuple(sorted(OpenBlock(block.generation, block.opened, block.windows()) for block in blocks))


def _cohort(block: Draft) -> Cohort:
    assert block.closed is not None
    return Cohort(block.generation, block.opened, block.closed, block.windows())


def _share(policy: CanaryPolicy, share: LabelledShare, mature: Iterable[Draft]) -> LabelledShare:
    for cohort in mature:
        block = _block(cohort, [_answers(*window[1:]) for window in cohort.windows()])
        share = add_share(policy, share, block) if block.counts.both_arms else share
    return share


def _answers(arrived: Arrived, labelled: Counts) -> Counts:
    """What was not answered can have no label. Labels of answers whose second was lost count no answer."""
    stable, canary = arrived.answers
    return Counts(stable, min(stable, labelled.stable_units), canary, min(canary, labelled.canary_units))


def _wrong(policy: CanaryPolicy, metric: MetricState, mature: Sequence[Draft], steps_of: Steps) -> MetricState:
    """Cohorts in which an arm has no label wait for the next ones of their generation: counts decide this too."""
    if metric.name != "wrong":
        return metric
    labelled = ((block.generation, one) for block in mature for one in block.labelled.values())
    metric = metric.model_copy(update={"steps": _in_steps(metric, labelled, steps_of)})
    waiting = {block.generation: block for block in metric.waiting}
    for cohort in mature:
        block = _joined(waiting.pop(cohort.generation, None), cohort)
        if block.counts.both_arms:
            metric = add_block(policy, metric, block)
        elif block.counts.units:
            waiting[cohort.generation] = block
    return metric.model_copy(update={"waiting": tuple(block for _, block in sorted(waiting.items()))})


def _joined(waiting: Block | None, cohort: Draft) -> Block:
    assert cohort.closed is not None
    windows = list(cohort.labelled.values())
    if waiting is None:
        return block_of(cohort.generation, (cohort.opened, cohort.closed), windows)
    return waiting._replace(
        closed=cohort.closed,
        counts=sum_counts([waiting.counts, *windows]),
        dispersion=waiting.dispersion.plus(dispersion_of(windows)),
    )
