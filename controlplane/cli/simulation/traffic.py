"""What a deployment's own decisions say of its traffic: units a second, and the stable version's rates."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from controlplane.client import Client
from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.state import AnalysisState, MetricState
from controlplane.simulation.plan import Traffic
from schemas.views.deployments import DeploymentView
from schemas.views.rollouts import DecisionView

LATEST_ROLLOUTS = 20
"""How many of a deployment's newest rollouts are looked through for one whose canary was analysed."""
WITH_EVIDENCE: Final = ("canary", "operator")
"""Kinds of decisions beside which the evidence is kept as it stood."""


@dataclass(frozen=True)
class Observed:
    """What a canary has met, and of which version the rates are."""

    traffic: Traffic
    version: str
    at: datetime


def observed_traffic(client: Client, deployment: DeploymentView) -> Observed | None:
    """From the closed blocks of the newest decision with evidence, the evidence's own or a person's.

    A canary that was promoted serves: the rates are those of its arm then.
    """
    serves = deployment.desired.stable if deployment.desired else None
    for rollout in islice(client.list_rollouts(deployment=deployment.name), LATEST_ROLLOUTS):
        was_promoted = rollout.model_version_id == serves
        for decision in reversed(client.list_decisions(rollout.id)):
            traffic = _of(client, decision, of_canary=was_promoted) if decision.kind in WITH_EVIDENCE else None
            if traffic is not None:
                version = rollout.model_version if was_promoted else rollout.previous_version
                return Observed(traffic, version or "", decision.at)
    return None


def _of(client: Client, decision: DecisionView, *, of_canary: bool) -> Traffic | None:
    inputs = client.why(str(decision.id)).inputs
    evidence = inputs.get("evidence") if decision.kind == "operator" else inputs
    if not isinstance(evidence, dict):  # a person's word before there was any
        return None
    state = AnalysisState.model_validate(evidence["analysis"])
    totals = {metric.name: metric.total() for metric in state.metrics}
    error = next((metric for metric in state.metrics if metric.name == "error"), state.metrics[0])
    seconds = _observed_seconds(error)
    if not seconds or not totals[error.name].stable_units:
        return None

    def rate(counts: Counts) -> float:
        return _rate(counts.swapped() if of_canary else counts)

    units, wrong = totals[error.name].units, totals.get("wrong", Counts())
    return Traffic(
        units_per_second=units / seconds,
        stable_error=rate(totals.get("error", Counts())),
        stable_wrong=rate(wrong),
        labelled=min(1.0, wrong.units / units),
        stable_abandoned=rate(state.arrived.of("abandoned")),
    )


def _observed_seconds(metric: MetricState) -> int:
    """How many seconds the closed blocks of a metric cover; what lies between two blocks belongs to none."""
    return sum(block.closed - block.opened + 1 for block in metric.closed)


def _rate(counts: Counts) -> float:
    return counts.stable_events / counts.stable_units if counts.stable_units else 0.0
