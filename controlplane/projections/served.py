"""What served at T: the generation that was desired, and what each gateway said it applied."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from controlplane.store.serving_tables import AppliedRow, GenerationRow


@dataclass(frozen=True)
class Served:
    generation: GenerationRow | None
    """None: before the first one."""
    applied: list[AppliedRow]
    """The last word of each gateway before T."""
    applied_generations: dict[int, GenerationRow]


def served_at(session: Session, deployment: str, at: datetime) -> Served:
    desired = select(GenerationRow).where(GenerationRow.deployment == deployment, col(GenerationRow.created_at) <= at)
    last = (
        select(func.max(AppliedRow.seq))
        .where(AppliedRow.deployment == deployment, col(AppliedRow.at) <= at)
        .group_by(col(AppliedRow.gateway))
    )
    applied = list(
        session.exec(select(AppliedRow).where(col(AppliedRow.seq).in_(last)).order_by(col(AppliedRow.gateway)))
    )
    numbers = {row.generation for row in applied}
    named = select(GenerationRow).where(
        GenerationRow.deployment == deployment, col(GenerationRow.generation).in_(numbers)
    )
    return Served(
        generation=session.exec(desired.order_by(col(GenerationRow.generation).desc())).first(),
        applied=applied,
        applied_generations={row.generation: row for row in session.exec(named)},
    )
