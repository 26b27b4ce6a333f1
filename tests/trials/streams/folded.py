"""What the control plane has folded against the seconds that it keeps: their sum, each generation's, and no other."""

from collections.abc import Iterator, Sequence

from controlplane.domain.analysis.state import AnalysisState
from controlplane.domain.analysis.unit_counts import Arrived, arrived, arrived_at, sum_arrived
from schemas.serving import GenerationSecond
from tests.trials.streams.account import Row


def judge_folded(folds: Sequence[AnalysisState], rows: Sequence[Row]) -> Iterator[str]:
    seconds = [entry for row in rows for entry in row.generations]
    for state in folds:
        yield from _judge(state, seconds)


def _judge(state: AnalysisState, seconds: Sequence[GenerationSecond]) -> Iterator[str]:
    weights = {entry.generation: entry.weight for entry in state.generations}
    name = f"the rollout of generations {', '.join(map(str, weights))}"
    ours = [one for one in seconds if one.generation in weights]
    folded = [one for one in ours if one.applied_weight == weights[one.generation]]
    unfolded = [one for one in ours if one.applied_weight != weights[one.generation]]
    for what, found, kept in (("folded", state.arrived, folded), ("not folded", state.unfolded, unfolded)):
        if found != _sum(kept):
            yield f"{name} has {what} {found}: its seconds sum up to {_sum(kept)}"
    for entry in state.generations:
        own = _sum([one for one in folded if one.generation == entry.generation])
        if (entry.stable_units, entry.canary_units) != (own.stable_units, own.canary_units):
            yield f"{name} has counted {entry}: its seconds sum up to {own}"


def _sum(seconds: Sequence[GenerationSecond]) -> Arrived:
    alike = [arrived(one.stable, one.canary) for one in seconds]
    keyed = [arrived_at(unit.arm, unit.end, 1) for one in seconds for unit in one.sessions]
    return sum_arrived([*alike, *keyed])
