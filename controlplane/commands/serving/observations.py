"""Observations: every second of every boot, in order, each folded once or refused and counted as late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor
from typing import Any, Final
from uuid import UUID

from sqlmodel import Session, col, select, update

from controlplane.commands.serving.gateways import check_clock, find_boot
from controlplane.store.insert import insert_once
from controlplane.store.serving_tables import GatewayBootRow, GenerationRow, ObservationRow, RolloutRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.rollouts import RolloutPolicy
from schemas.serving import GenerationSecond, LostSecond, LostUnits, Observation, ObservationAnswer

FOLD_AGE: Final = timedelta(seconds=30)
"""A canary whose rollout has not been folded for so long gets no more weight: nobody watches it."""
OLDEST_SECONDS: Final = 24 * 3600
"""An older second is late for any fold, which must not walk through the years that a wrong clock was behind."""
OBSERVED_PHASES: Final = ("Progressing", "Paused")


@dataclass(frozen=True)
class Late:
    """The fold has passed that second: it is recorded as lost and never folded."""

    second: int
    horizon: int


@dataclass(frozen=True)
class Watched:
    """The rollout whose canary a deployment's gateways observe."""

    id: UUID
    horizon: int
    weight: float
    folded_at: datetime | None
    policy: dict[str, Any]


def take_observation(uow: UnitOfWork, observation: Observation) -> ObservationAnswer | Late:
    """Keep one second of one boot; a repeat is answered as it was. The answer is the only renewal of a lease."""
    boot = find_boot(uow.session, observation.boot)
    rollout, now = _watched(uow, boot.deployment), uow.now()
    second = observation.second + boot.clock_offset
    check_clock(now, second, "second")
    horizon = max(rollout.horizon if rollout else -1, floor(now.timestamp()) - OLDEST_SECONDS)
    repeated = second <= boot.watermark
    kept = repeated and uow.session.get(ObservationRow, (boot.boot, second)) is not None
    if second <= horizon and not kept:
        if not repeated:
            _record_late(uow, boot, second, observation)
        return Late(observation.second, horizon - boot.clock_offset)
    if not repeated:
        _keep(uow, boot, _row(boot, second, observation.generations, rollout))
    lease = _lease_seconds(uow, boot.deployment, observation, rollout)
    return ObservationAnswer(watermark=max(second, boot.watermark) - boot.clock_offset, lease_seconds=lease)


def take_lost_units(uow: UnitOfWork, lost: LostUnits) -> None:
    """What a dead boot had not sealed; what never ended is an error of its arm. A repeat changes nothing.

    It is known only now, so seconds that the fold has passed are put behind its horizon: an error that came late is
    not to be censored. Both arms' are shifted alike. A second that this boot, or a part before this one, has told is
    not told again.
    """
    boot, now = find_boot(uow.session, lost.boot, lock=True), uow.now()
    for observation in lost.seconds:
        check_clock(now, observation.second + boot.clock_offset, "seconds")
    rollout = _watched(uow, boot.deployment)
    first = 1 + rollout.horizon if rollout else 0
    for observation in lost.seconds:
        told_at = observation.second + boot.clock_offset
        if told_at > boot.watermark and not boot.lost:
            boot.watermark = told_at
            if rollout is not None:
                _keep_lost(uow, boot, max(told_at, first), observation, rollout)
    boot.lost = boot.lost or not lost.more
    uow.session.add(boot)


def _keep_lost(uow: UnitOfWork, boot: GatewayBootRow, second: int, lost: LostSecond, rollout: Watched) -> None:
    """Beside others that were put into the same second."""
    row = uow.session.get(ObservationRow, (boot.boot, second)) or _row(boot, second, (), rollout)
    row.generations = [*row.generations, *_dumped(lost.generations)]
    row.lost = row.lost or lost.unfinished
    uow.session.add(row)


def _watched(uow: UnitOfWork, deployment: str) -> Watched | None:
    """Locked against the fold: a second is accepted before a fold that reads it, or is late for that fold."""
    query = (
        select(RolloutRow.id, RolloutRow.horizon, RolloutRow.weight, RolloutRow.folded_at, RolloutRow.policy)  # type: ignore[call-overload]
        .where(RolloutRow.deployment == deployment, col(RolloutRow.phase).in_(OBSERVED_PHASES))
        .with_for_update(read=True)
    )
    found = uow.session.exec(query).first()
    return Watched(*found) if found else None


def _record_late(uow: UnitOfWork, boot: GatewayBootRow, second: int, observation: Observation) -> None:
    # the watermark's time stays: a boot that is always late is not live, and the fold does not wait for it
    late = sum(_units(entry) for entry in observation.generations)
    uow.execute(
        update(GatewayBootRow)
        .where(col(GatewayBootRow.boot) == boot.boot)
        .values(
            watermark=second,
            late_seconds=GatewayBootRow.late_seconds + 1,
            late_units=GatewayBootRow.late_units + late,
        )
    )


def _keep(uow: UnitOfWork, boot: GatewayBootRow, row: ObservationRow) -> None:
    if row.rollout_id is not None and not insert_once(uow, row):
        return  # the same request twice at once: the other one has moved the watermark
    uow.execute(
        update(GatewayBootRow)
        .where(col(GatewayBootRow.boot) == boot.boot)
        .values(watermark=row.second, watermark_at=uow.now())
    )


def _row(
    boot: GatewayBootRow, second: int, generations: Sequence[GenerationSecond], rollout: Watched | None
) -> ObservationRow:
    return ObservationRow(
        boot=boot.boot,
        second=second,
        deployment=boot.deployment,
        rollout_id=rollout.id if rollout else None,
        generations=_dumped(generations),
    )


def _dumped(generations: Sequence[GenerationSecond]) -> list[dict[str, Any]]:
    return [entry.model_dump(mode="json") for entry in generations]


def _lease_seconds(uow: UnitOfWork, deployment: str, observation: Observation, rollout: Watched | None) -> float:
    """For a canary with weight that somebody watches, and for a gateway that serves this very rollout."""
    if rollout is None or rollout.weight <= 0 or rollout.folded_at is None:
        return 0.0
    if uow.now() - rollout.folded_at >= FOLD_AGE or not _serves(uow.session, deployment, observation, rollout.id):
        return 0.0
    return RolloutPolicy.model_validate(rollout.policy).canary.lease_seconds


def _serves(session: Session, deployment: str, observation: Observation, rollout: UUID) -> bool:
    newest = max((entry.generation for entry in observation.generations), default=0)
    row = session.get(GenerationRow, (deployment, newest))
    return row is not None and row.rollout_id == rollout


def _units(entry: GenerationSecond) -> int:
    return entry.stable.units + entry.canary.units + len(entry.sessions)
