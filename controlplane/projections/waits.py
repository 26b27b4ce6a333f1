"""What each rollout waits for that a person can end: a freeze, a rollout in front, a hold, a pause, silent gateways."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from uuid import UUID

from sqlmodel import Session, col, select

from controlplane.domain import waits
from controlplane.projections.gateways import is_live, list_boots
from controlplane.projections.holds import on_rollout
from controlplane.projections.models import name_versions
from controlplane.store.serving_tables import DeploymentRow, HoldRow, RolloutRow
from controlplane.store.unit_of_work import database_time
from schemas.phases import ACTIVE_ROLLOUT_PHASES, FINAL_ROLLOUT_PHASES

NEEDS_GATEWAYS = frozenset({"Verifying", "Progressing"})
"""Phases in which gateways' answers move a rollout."""


@dataclass(frozen=True)
class Queue:
    """What stands in the way of a deployment's rollouts."""

    frozen: bool
    frozen_reason: str | None
    live: bool
    """Whether a gateway reported lately."""
    active: RolloutRow | None
    queued: tuple[UUID, ...]
    """Oldest first."""


def waits_of(
    session: Session, rows: Sequence[RolloutRow], holds: Sequence[HoldRow], silence_seconds: float
) -> dict[UUID, str]:
    """By rollout, in words with the verbs that end it; none of those that have ended, or wait for nothing but time."""
    under_way = [row for row in rows if row.phase not in FINAL_ROLLOUT_PHASES]
    queues = _queues(session, {row.deployment for row in under_way}, silence_seconds) if under_way else {}
    names = name_versions(session, (one.active.model_version_id for one in queues.values() if one.active))
    return {row.id: "; ".join(_waits(row, queues[row.deployment], names, holds)) for row in under_way}


def _waits(row: RolloutRow, queue: Queue, names: Mapping[UUID, str], holds: Sequence[HoldRow]) -> Iterator[str]:
    if row.phase == "Queued" and queue.frozen:
        yield waits.frozen(row.deployment, queue.frozen_reason)
    elif row.phase == "Queued" and (active := queue.active) is not None:
        before = list(takewhile(lambda other: other != row.id, queue.queued))
        yield waits.in_front(active.id, names[active.model_version_id], active.phase, len(before))
    elif row.phase == "Paused":
        yield waits.paused(row.id, row.verdict)
    for hold in on_rollout(holds, row):
        noun, name = ("rollout", hold.rollout_id) if hold.rollout_id else ("deployment", hold.deployment)
        yield waits.held(noun, name, hold.actor, hold.reason)
    if row.phase in NEEDS_GATEWAYS and not queue.live:
        yield waits.no_gateway(row.deployment)


def _queues(session: Session, deployments: set[str], silence_seconds: float) -> dict[str, Queue]:
    found = session.exec(select(DeploymentRow).where(col(DeploymentRow.name).in_(deployments)))
    now, under_way = database_time(session), _under_way(session, deployments)
    live = {boot.deployment for boot in list_boots(session, deployments) if is_live(boot, now, silence_seconds)}
    return {
        one.name: Queue(
            one.frozen,
            one.frozen_reason,
            one.name in live,
            next((row for row in under_way if row.deployment == one.name and row.phase in ACTIVE_ROLLOUT_PHASES), None),
            tuple(row.id for row in under_way if row.deployment == one.name and row.phase == "Queued"),
        )
        for one in found
    }


def _under_way(session: Session, deployments: set[str]) -> list[RolloutRow]:
    query = select(RolloutRow).where(
        col(RolloutRow.deployment).in_(deployments), col(RolloutRow.phase).in_(("Queued", *ACTIVE_ROLLOUT_PHASES))
    )
    return list(session.exec(query.order_by(col(RolloutRow.created_at), col(RolloutRow.id))))
