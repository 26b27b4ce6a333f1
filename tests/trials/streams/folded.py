"""What the control plane has folded against the seconds that it keeps: their sum, each generation's, and no other."""

from collections.abc import Iterator, Sequence

from controlplane.domain.analysis.arrived import Arrived, arrived, arrived_at, sum_arrived
from controlplane.domain.analysis.state import AnalysisState
from schemas.serving import GenerationSecond
from tests.trials.streams.account import Row


def judge_folded(folds: Sequence[AnalysisState], rows: Sequence[Row]) -> Iterator[str]:
    seconds = [entry for row in rows for entry in row.generations]
    for state in folds:
        weights = {entry.generation: entry.weight for entry in state.generations}
        folded = [one for one in seconds if weights.get(one.generation) == one.applied_weight]
        others = [one for one in seconds if one.generation in weights and one not in folded]
        name = f"the rollout of generations {min(weights, default=0)} to {max(weights, default=0)}"
        for what, found, kept in (
            ("folded", state.arrived, _sum(folded)),
            ("left unfolded", state.unfolded, _sum(others)),
        ):
            if found != kept:
                yield f"{name} has {what} {found}, and the seconds sum up to {kept}"
        for entry in state.generations:
            own = _sum([one for one in folded if one.generation == entry.generation])
            if (entry.stable_units, entry.canary_units) != (own.stable_units, own.canary_units):
                yield f"{name} has counted {entry}, and the seconds sum up to {own}"


def _sum(seconds: Sequence[GenerationSecond]) -> Arrived:
    return sum_arrived([arrived(one.stable, one.canary) for one in seconds] + [
        arrived_at(unit.arm, unit.end, 1) for one in seconds for unit in one.sessions
    ])
