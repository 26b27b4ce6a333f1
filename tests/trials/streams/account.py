"""Everything that is reconciled: what callers saw, what gateways wrote down, and what the control plane has kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from sqlmodel import Session, select

from controlplane.domain.analysis.state import AnalysisState
from controlplane.store.serving_tables import GatewayBootRow, GenerationRow, ObservationRow, RolloutRow
from schemas.serving import GenerationSecond
from tests.trials.streams.gateway import Gateway
from tests.trials.streams.journals import Entry, read_journal
from tests.trials.streams.seen import Seen


@dataclass(frozen=True)
class Boot:
    """One life of a gateway. Its seconds are in its own clock."""

    id: UUID
    gateway: str
    killed: bool
    journal: tuple[Entry, ...]
    watermark: int
    """The last second that the control plane has accepted or refused as late; before its first one when it never
    registered."""
    late_units: int = 0
    """In the seconds that were refused as late."""


@dataclass(frozen=True)
class Row:
    """What the control plane keeps of one second of one boot."""

    boot: UUID
    second: int
    lost: bool
    """Told by the next boot: units that this one never ended."""
    generations: tuple[GenerationSecond, ...]


@dataclass(frozen=True)
class Account:
    seen: Sequence[Seen]
    boots: Sequence[Boot]
    rows: Sequence[Row]
    salts: Mapping[int, str]
    """Generation to the salt under which it hashes session keys."""
    folds: Sequence[AnalysisState] = field(default=())
    """The evidence of each rollout when nothing more came."""


NEVER = -1


def read_account(session: Session, seen: Sequence[Seen], gateways: Sequence[Gateway], kept: Path) -> Account:
    registered = {row.boot: row for row in session.exec(select(GatewayBootRow)).all()}
    boots = [
        _boot(id, gateway, registered.get(id), kept / f"{id}.journal") for gateway in gateways for id in gateway.boots
    ]
    rows = [_row(row, registered[row.boot]) for row in session.exec(select(ObservationRow)).all()]
    salts = {row.generation: row.salt for row in session.exec(select(GenerationRow)).all() if row.salt}
    analyses = [row.analysis for row in session.exec(select(RolloutRow)).all() if row.analysis]
    return Account(seen, boots, rows, salts, [AnalysisState.model_validate(analysis) for analysis in analyses])


def _boot(id: UUID, gateway: Gateway, row: GatewayBootRow | None, journal: Path) -> Boot:
    watermark = row.watermark - row.clock_offset if row else NEVER
    late = row.late_units if row else 0
    return Boot(id, gateway.name, id in gateway.killed, read_journal(journal), watermark, late)


def _row(row: ObservationRow, boot: GatewayBootRow) -> Row:
    generations = tuple(GenerationSecond.model_validate(entry) for entry in row.generations)
    return Row(row.boot, row.second - boot.clock_offset, row.lost, generations)
