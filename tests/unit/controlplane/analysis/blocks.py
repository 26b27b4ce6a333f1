"""Reads what a fold has made of traffic."""

from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.state import AnalysisState, MetricState
from controlplane.domain.analysis.unit_counts import sum_arrived
from schemas.serving import Observation
from tests.unit.controlplane.analysis.traffic import cell, observed


def error_of(state: AnalysisState):
    return next(metric for metric in state.metrics if metric.name == "error")


def wrong_of(state: AnalysisState):
    return next(metric for metric in state.metrics if metric.name == "wrong")


def closed(metric: MetricState) -> list[tuple[int, int, int, Counts]]:
    """Generation, first and last second, and counts of each block."""
    return [block[:4] for block in metric.closed]


def open_blocks(state: AnalysisState) -> list[tuple[int, int, Counts]]:
    return [
        (block.generation, block.opened, sum_arrived(window.arrived for window in block.windows).of("error"))
        for block in state.open
    ]


def steady(seconds: range, generation: int = 1, weight: float = 0.05) -> list[Observation]:
    return [observed(second, cell(generation, weight, (19, 1), (1, 0))) for second in seconds]
