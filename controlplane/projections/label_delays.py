"""How late labels come, by arm, and whether a policy waits for them."""

from math import ceil
from typing import Final, NamedTuple

from sqlmodel import Session, col, select

from controlplane.store.serving_tables import LabelRow, RolloutRow
from schemas.rollouts import CanaryPolicy

LATEST: Final = 2000
"""Labels that are looked at."""
ENOUGH: Final = 20
"""Fewer say nothing of a 95 % quantile."""


class Delay(NamedTuple):
    """Seconds from a unit's arrival to its label."""

    labels: int
    p50: float
    p95: float


def delays_by_arm(session: Session, rollout: RolloutRow) -> dict[str, Delay]:
    found = {}
    for arm in ("stable", "canary"):
        latest = select(LabelRow.stored_second, LabelRow.second).where(
            LabelRow.rollout_id == rollout.id, LabelRow.arm == arm
        )
        if (delay := _delay(session, latest)) is not None:
            found[arm] = delay
    return found


def wait_warnings(session: Session, deployment: str, policy: CanaryPolicy) -> list[str]:
    """Empty when the policy asks for no labels, too few were seen, or it waits for 95 % of them."""
    if "wrong" not in policy.metric_names():
        return []
    delay = _delay(session, select(LabelRow.stored_second, LabelRow.second).where(LabelRow.deployment == deployment))
    if delay is None or delay.labels < ENOUGH or delay.p95 <= policy.label_wait_seconds:
        return []
    return [
        f"label_wait_seconds is {policy.label_wait_seconds:g}, and 5 % of the latest {delay.labels} labels of "
        f"{deployment} came more than {delay.p95:.0f} s after their answers: those are never folded, so wait longer"
    ]


def _delay(session: Session, labels: object) -> Delay | None:
    newest = labels.order_by(col(LabelRow.at).desc()).limit(LATEST)  # type: ignore[attr-defined]
    waits = sorted(float(stored - second) for stored, second in session.exec(newest))
    return Delay(len(waits), _quantile(waits, 0.5), _quantile(waits, 0.95)) if waits else None


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[max(0, ceil(share * len(ordered)) - 1)]
