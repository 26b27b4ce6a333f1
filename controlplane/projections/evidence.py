"""How the evidence of a rollout grew, as it is read."""

from datetime import UTC, datetime
from typing import Final

from controlplane.domain.analysis.curves import Point, evidence_curve
from controlplane.domain.analysis.state import AnalysisState
from controlplane.domain.analysis.verdict import metric_evidence
from controlplane.domain.thinning import thinned
from controlplane.store.serving_tables import RolloutRow
from schemas.rollouts import RolloutPolicy
from schemas.views.rollouts import ArmCounts, EvidencePoint, EvidenceView, MetricCurve

MOST_POINTS: Final = 200
"""How many points one curve has at most: a picture is no wider."""


def evidence_view(row: RolloutRow) -> EvidenceView:
    """A curve for each metric that its policy compares."""
    if row.analysis is None:
        return EvidenceView(rollout_id=row.id, curves=[])
    state, policy = AnalysisState.model_validate(row.analysis), RolloutPolicy.model_validate(row.policy).canary
    curves = [
        MetricCurve(
            metric=found.name,
            margin=found.margin,
            harm_needed=found.harm_needed,
            safe_needed=found.safe_needed,
            blocks=found.blocks,
            points=[_point(one) for one in thinned(evidence_curve(policy, metric), MOST_POINTS)],
        )
        for metric, found in zip(state.metrics, metric_evidence(policy, state), strict=True)
    ]
    return EvidenceView(rollout_id=row.id, curves=curves)


def _point(point: Point) -> EvidencePoint:
    counts = point.counts
    return EvidencePoint(
        at=datetime.fromtimestamp(point.second, UTC),
        generation=point.generation,
        harm=point.harm,
        safe=point.safe,
        stable=ArmCounts(units=counts.stable_units, events=counts.stable_events),
        canary=ArmCounts(units=counts.canary_units, events=counts.canary_events),
    )
