"""What a deployment's own decisions say of its traffic: units a second, and the stable version's rates."""

from datetime import datetime
from itertools import islice

from controlplane.client import Client
from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.state import AnalysisState, MetricState
from controlplane.simulation.plan import Traffic

LATEST_ROLLOUTS = 20
"""How many of a deployment's newest rollouts are looked through for one whose canary was analysed."""


def observed_traffic(client: Client, deployment: str) -> tuple[Traffic, datetime] | None:
    """From the closed blocks of the newest decision about a canary, and when that was."""
    for rollout in islice(client.list_rollouts(deployment=deployment), LATEST_ROLLOUTS):
        decisions = [decision for decision in client.list_decisions(rollout.id) if decision.kind == "canary"]
        if decisions and (traffic := _of(client, str(decisions[-1].id))) is not None:
            return traffic, decisions[-1].at
    return None


def _of(client: Client, decision_id: str) -> Traffic | None:
    state = AnalysisState.model_validate(client.why(decision_id).inputs["analysis"])
    totals = {metric.name: metric.total() for metric in state.metrics}
    error = next((metric for metric in state.metrics if metric.name == "error"), state.metrics[0])
    seconds = _observed_seconds(error)
    if not seconds or not totals[error.name].stable_units:
        return None
    units, wrong = totals[error.name].units, totals.get("wrong", Counts())
    return Traffic(
        units_per_second=units / seconds,
        stable_error=_rate(totals.get("error", Counts())),
        stable_wrong=_rate(wrong),
        labelled=min(1.0, wrong.units / units),
        stable_abandoned=_rate(state.arrived.of("abandoned")),
    )


def _observed_seconds(metric: MetricState) -> int:
    """How many seconds the closed blocks of a metric cover; what lies between two blocks belongs to none."""
    return sum(block.closed - block.opened + 1 for block in metric.closed)


def _rate(counts: Counts) -> float:
    return counts.stable_events / counts.stable_units if counts.stable_units else 0.0
