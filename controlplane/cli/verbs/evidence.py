"""The evidence of a rollout in plain text: a small picture a metric, and how far it is."""

from collections.abc import Iterator

from controlplane.cli.verbs.curves import MOST_COLUMNS, sparkline
from controlplane.domain.analysis.verdict import e_value
from schemas.views.rollouts import EvidenceView, MetricCurve


def pictures(found: EvidenceView, width: int | None) -> list[str]:
    return [line for one in found.curves for line in _picture(one, min(width or MOST_COLUMNS, MOST_COLUMNS))]


def _picture(curve: MetricCurve, columns: int) -> Iterator[str]:
    if not curve.points:
        yield f"{curve.metric}: no block is closed yet"
        return
    last = curve.points[-1]
    yield (
        f"{curve.metric}, {curve.blocks} blocks: stable {last.stable.events:,} of {last.stable.units:,}, "
        f"canary {last.canary.events:,} of {last.canary.units:,}"
    )
    for name, values, needed in (
        ("HARM", [one.harm for one in curve.points], curve.harm_needed),
        ("SAFE", [one.safe for one in curve.points], curve.safe_needed),
    ):
        yield f"  {name}  {sparkline(values, columns)}  {e_value(values[-1])} of {e_value(needed)}"
