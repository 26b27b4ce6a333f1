"""The account as it lies there when all has been told: in the database, and in the copies of the journals."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from sqlmodel import Session, select

from controlplane.domain.analysis.state import AnalysisState
from controlplane.store.serving_tables import GatewayBootRow, GenerationRow, ObservationRow, RolloutRow
from schemas.serving import GenerationSecond
from tests.trials.streams.account import Account, Boot, Row
from tests.trials.streams.gateway import Gateway
from tests.trials.streams.journals import read_journal
from tests.trials.streams.seen import Seen


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
    return Boot(
        id=id,
        gateway=gateway.name,
        journal=read_journal(journal),
        late_units=row.late_units if row else 0,
        killed=id in gateway.killed,
    )


def _row(row: ObservationRow, boot: GatewayBootRow) -> Row:
    generations = tuple(GenerationSecond.model_validate(entry) for entry in row.generations)
    return Row(row.boot, row.second - boot.clock_offset, row.lost, generations)
