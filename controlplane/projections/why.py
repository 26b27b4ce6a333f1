"""A decision in words, and whether its stored inputs still give the same verdict."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlmodel import Session, col, select

from controlplane.domain.analysis.explain import explain, recompute, stored_policy
from controlplane.domain.canonical import digest
from controlplane.domain.evidence import Evidence
from controlplane.domain.gates import judge
from controlplane.domain.rollout import asked_for
from controlplane.errors import NotFound
from controlplane.projections.labellers import describe_labellers
from controlplane.store.serving_tables import DecisionRow
from schemas.gates import Gate
from schemas.rollouts import GateVerdict

GATES: Final = TypeAdapter(tuple[Gate, ...])
VERDICTS: Final = TypeAdapter(tuple[GateVerdict, ...])


@dataclass(frozen=True)
class Why:
    lines: list[str]
    recomputed: bool
    """The inputs are those that were signed for, and judging them again gives the same verdict."""


def find_decision(session: Session, decision_id: UUID) -> DecisionRow:
    row = session.exec(select(DecisionRow).where(DecisionRow.id == decision_id)).first()
    if row is None:
        raise NotFound(f"there is no decision {decision_id}")
    return row


def list_decisions(session: Session, rollout_id: UUID) -> list[DecisionRow]:
    """Oldest first."""
    query = select(DecisionRow).where(DecisionRow.rollout_id == rollout_id).order_by(col(DecisionRow.seq))
    return list(session.exec(query))


def explain_decision(row: DecisionRow) -> Why:
    lines, same = EXPLANATIONS[row.kind](row)
    kept = digest(row.inputs) == row.digest
    if not kept:
        lines = [*lines, f"the stored inputs do not have the digest {row.digest}"]
    return Why([f"{row.kind}: {row.verdict}, by {row.actor}: {row.reason}", *lines], kept and same)


def _gates(row: DecisionRow) -> tuple[list[str], bool]:
    stored = VERDICTS.validate_python(row.inputs["verdicts"])
    asked, evidence = GATES.validate_python(row.inputs["gates"]), Evidence.model_validate(row.inputs["evidence"])
    again = judge(asked, evidence, row.inputs["may_drop"])
    return [f"{verdict.gate}: {verdict.status}, {verdict.reason}" for verdict in again], again == stored


def _canary(row: DecisionRow) -> tuple[list[str], bool]:
    assessment = recompute(row.inputs)
    lines = [*explain(stored_policy(row.inputs), assessment), *describe_labellers(row.inputs)]
    return lines, asked_for(row.verdict, assessment)


def _said(row: DecisionRow) -> tuple[list[str], bool]:
    """A person's word and a probe's answers are what they are: there is nothing to compute."""
    lines = [f"{name}: {value}" for name, value in sorted(row.inputs.items()) if not isinstance(value, dict)]
    if evidence := row.inputs.get("evidence"):
        lines += ["the evidence at that moment:", *explain(stored_policy(evidence), recompute(evidence))]
        lines += describe_labellers(evidence)
    return lines, True


EXPLANATIONS: Final[dict[str, Callable[[Any], tuple[list[str], bool]]]] = {
    "gates": _gates,
    "canary": _canary,
    "verification": _said,
    "operator": _said,
}
