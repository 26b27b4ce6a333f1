"""Gateways: their boots, what they report to apply, and which of them are live."""

from dataclasses import dataclass
from datetime import datetime
from math import floor
from uuid import UUID

from sqlmodel import Session, col, update

from controlplane.errors import Conflict, Invalid, NotFound
from controlplane.projections.deployments import find_deployment
from controlplane.projections.gateways import is_live, list_boots
from controlplane.store.insert import insert_once
from controlplane.store.serving_tables import AppliedRow, GatewayBootRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.serving import GatewayBoot, GatewayReport, Probed

REMEMBERED_SECONDS = 3600
"""A gateway that fell silent within the last hour may still serve: it is listed as not confirmed."""

CLOCK_AHEAD_SECONDS = 3600
CLOCK_TOLERANCE_SECONDS = 15
"""A request may take so long, and the fold waits so long for a silent boot anyway: only more is a wrong clock."""


@dataclass(frozen=True)
class Proof:
    """Which gateways answered a probe's smoke row with the version."""

    confirmed: tuple[str, ...]
    unconfirmed: tuple[str, ...]
    """Live ones that have not, each with what it said."""
    silent: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return bool(self.confirmed) and not self.unconfirmed

    def nobody_will_answer(self, *, over: bool) -> bool:
        """No gateway is live. One heard of lately gets the time that there is: we may have been away, not it."""
        return not self.confirmed and not self.unconfirmed and (over or not self.silent)


def register_boot(uow: UnitOfWork, boot: GatewayBoot) -> None:
    """One life of a gateway begins, and its earlier ones are over. A repeat changes nothing."""
    find_deployment(uow.session, boot.deployment)
    now = uow.now()
    offset = _clock_offset(now, boot.sent_second)
    first_second = boot.first_second + offset
    check_clock(now, first_second, "first_second")
    row = GatewayBootRow(
        boot=boot.boot,
        gateway=boot.gateway,
        deployment=boot.deployment,
        clock_offset=offset,
        first_second=first_second,
        watermark=first_second - 1,
        watermark_at=now,
        registered_at=now,
        loaded=[],
        probed={},
    )
    if not insert_once(uow, row):
        _check_repeat(find_boot(uow.session, boot.boot), boot)
        return
    uow.execute(
        update(GatewayBootRow)
        .where(
            col(GatewayBootRow.gateway) == boot.gateway,
            col(GatewayBootRow.deployment) == boot.deployment,
            col(GatewayBootRow.boot) != boot.boot,
        )
        .values(replaced=True)
    )


def _clock_offset(now: datetime, sent_second: int) -> int:
    behind = floor(now.timestamp()) - sent_second
    return behind if abs(behind) > CLOCK_TOLERANCE_SECONDS else 0


def check_clock(now: datetime, second: int, field: str) -> None:
    """Raises Invalid for a second too far ahead: the fold would follow it, and leave every right clock behind."""
    ahead = second - floor(now.timestamp())
    if ahead > CLOCK_AHEAD_SECONDS:
        raise Invalid(
            f"{field} {second} is {ahead} s ahead of the control plane's clock, at most {CLOCK_AHEAD_SECONDS} s "
            "may be: set the gateway's clock",
            field=field,
        )


def find_boot(session: Session, boot: UUID, *, lock: bool = False) -> GatewayBootRow:
    """With `lock` nobody else changes it before this transaction ends."""
    row = session.get(GatewayBootRow, boot, populate_existing=True, with_for_update=lock or None)
    if row is None:
        raise NotFound(f"boot {boot} is not registered: a gateway registers its boot before it reports", field="boot")
    return row


def take_report(uow: UnitOfWork, report: GatewayReport) -> None:
    """A heartbeat; what it says to apply is kept whenever that changes: what served at T is answered from it."""
    row, now = find_boot(uow.session, report.boot), uow.now()
    applied = (report.generation, report.applied_weight)
    if row.reported_at is None or applied != (row.generation, row.applied_weight):
        uow.session.add(
            AppliedRow(
                deployment=row.deployment,
                gateway=row.gateway,
                boot=row.boot,
                generation=report.generation,
                applied_weight=report.applied_weight,
                at=now,
            )
        )
    uow.execute(
        update(GatewayBootRow)
        .where(col(GatewayBootRow.boot) == report.boot)
        .values(
            reported_at=now,
            generation=report.generation,
            applied_weight=report.applied_weight,
            loaded=[str(version) for version in report.loaded],
            probed={str(entry.probe): entry.model_dump(mode="json") for entry in report.probed},
        )
    )


def prove(uow: UnitOfWork, deployment: str, probe: UUID, silence_seconds: float) -> Proof:
    """What the deployment's gateways answered to a probe so far."""
    now, confirmed, unconfirmed, silent = uow.now(), [], [], []
    for boot in list_boots(uow.session, [deployment]):
        answer = Probed.model_validate(boot.probed[str(probe)]) if str(probe) in boot.probed else None
        if is_live(boot, now, silence_seconds):
            if answer and answer.ok:
                confirmed.append(boot.gateway)
            else:
                unconfirmed.append(f"{boot.gateway} ({answer.detail if answer else 'no answer yet'})")
        elif is_live(boot, now, REMEMBERED_SECONDS):
            silent.append(f"{boot.gateway} (silent)")
    return Proof(tuple(confirmed), tuple(unconfirmed), tuple(silent))


def _check_repeat(row: GatewayBootRow, boot: GatewayBoot) -> None:
    first_second = row.first_second - row.clock_offset
    if (row.gateway, row.deployment, first_second) != (boot.gateway, boot.deployment, boot.first_second):
        raise Conflict(f"boot {boot.boot} is registered as gateway {row.gateway!r} of {row.deployment!r}", field="boot")
