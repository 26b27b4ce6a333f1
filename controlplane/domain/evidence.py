"""What is known about a version, and which of it is evidence for a gate: named by the policy, never picked by time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from schemas.artifacts import Digest
from schemas.evidence import FindingOnRows, Paired
from schemas.jobs import JobResult
from schemas.jobs.attack import AttackResult
from schemas.jobs.evaluate import EvaluateResult
from schemas.jobs.results import GraphResult
from schemas.model.references import GraphRef
from schemas.rollouts import MaxAttackSuccess, MinAccuracy

MOST_TOLD = 5
"""Results that do not count, each with its reason, in one verdict."""


Found = TypeVar("Found")
Judged = TypeVar("Judged", bound=FindingOnRows)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Attachment(_Frozen, Generic[Found]):
    """One finding about a version, as the registry keeps it."""

    digest: Digest
    dataset: str = ""
    """`reviews/2`, whose rows it is about; empty: it is about none."""
    rows: Digest | None = None
    """The digest of the whole split that the finding's rows are of, as the dataset version registered it."""
    result: Found


class Learnt(_Frozen):
    """What jobs learnt about one version, oldest first."""

    version: UUID
    labels: tuple[str, ...]
    attachments: tuple[Attachment[JobResult], ...] = ()

    def of(self, result: type[Found]) -> tuple[Attachment[Found], ...]:
        """Those with a result of that class."""
        return tuple(cast(Attachment[Found], one) for one in self.attachments if isinstance(one.result, result))

    @property
    def served(self) -> Attachment[GraphResult] | None:
        """What a gateway loads: the newest graph."""
        return next(reversed(self.of(GraphResult)), None)

    @property
    def graph(self) -> GraphRef | None:
        return self.served.result.graph if self.served else None


class Evidence(_Frozen):
    candidate: Learnt
    champion: Learnt | None
    """What serves now; None: a first release, to which comparisons do not apply."""
    splits: dict[str, Digest]
    """`reviews/1 test` to the digest of its rows, for every split that a gate names and that exists."""


@dataclass(frozen=True)
class Sifted(Generic[Judged]):
    """Results that count, oldest first, and in words why the others do not."""

    counting: tuple[Attachment[Judged], ...]
    objections: tuple[str, ...]

    def and_compared(self, objection: Callable[[Attachment[Judged]], str | None]) -> "Sifted[Judged]":
        found: list[tuple[Attachment[Judged], str | None]] = [(one, objection(one)) for one in self.counting]
        refused: tuple[str, ...] = tuple(f"{_name(one)}: {why}" for one, why in found if why)
        return Sifted(tuple(one for one, why in found if not why), (*self.objections, *refused))

    def missing(self, what: str) -> str:
        """What is missing, and what is there instead."""
        if not self.objections:
            return what
        more = len(self.objections) - MOST_TOLD
        rest = f"; and {more} more" if more > 0 else ""
        return f"{what}; what does not count: {'; '.join(self.objections[:MOST_TOLD])}{rest}"


def split_name(gate: MinAccuracy | MaxAttackSuccess) -> str:
    """`reviews/1 test`: a name without a version is its first."""
    dataset = gate.dataset if "/" in gate.dataset else f"{gate.dataset}/1"
    return f"{dataset} {gate.split}"


def sift_evaluations(gate: MinAccuracy, evidence: Evidence) -> Sifted[EvaluateResult]:
    def objection(one: Attachment[EvaluateResult]) -> str | None:
        if one.result.accuracy.n < gate.min_rows:
            return f"{one.result.accuracy.n} rows, at least {gate.min_rows} are asked"
        return _of_these_rows(gate, evidence, one)

    return Sifted(evidence.candidate.of(EvaluateResult), ()).and_compared(objection)


def sift_attacks(gate: MaxAttackSuccess, evidence: Evidence) -> Sifted[AttackResult]:
    def objection(one: Attachment[AttackResult]) -> str | None:
        return _too_weak(gate, one.result) or _of_these_rows(gate, evidence, one)

    return Sifted(evidence.candidate.of(AttackResult), ()).and_compared(objection)


def sift_pairs(sifted: Sifted[Judged], champion: Learnt) -> Sifted[Judged]:
    """Those that were made beside what serves now, as it serves now."""

    def objection(one: Attachment[Judged]) -> str | None:
        paired = one.result.paired
        if paired is None:
            return "it was not made `against` another version"
        if paired.against != champion.version:
            return f"it was made against {paired.against}, which does not serve"
        if paired.graph != champion.graph:
            return "it ran on another graph of the champion than the one that serves"
        return None if paired.n else "no row could be compared"

    return sifted.and_compared(objection)


def pair_of(one: Attachment[Judged]) -> Paired:
    """The paired comparison in a result that `sift_pairs` let through."""
    assert one.result.paired is not None
    return one.result.paired


def _of_these_rows(gate: MinAccuracy | MaxAttackSuccess, evidence: Evidence, one: Attachment[Judged]) -> str | None:
    if one.result.split != gate.split or one.rows is None or one.rows != evidence.splits.get(split_name(gate)):
        return f"other rows than {split_name(gate)}"
    if one.result.graph != evidence.candidate.graph:
        return "it ran on another graph than the one that would be served"
    if seen := one.result.rows_trained_on:
        return f"the version was trained on {seen} of these rows"
    return None


def _too_weak(gate: MaxAttackSuccess, attack: AttackResult) -> str | None:
    if attack.recipe != gate.recipe:
        return f"recipe {attack.recipe}, {gate.recipe} is asked"
    if attack.seed != gate.seed:
        return f"seed {attack.seed}, {gate.seed} is asked"
    if attack.queries_per_word < gate.queries_per_word:
        return f"{attack.queries_per_word} queries per word, at least {gate.queries_per_word} are asked"
    if attack.query_budget is not None and (gate.query_budget is None or attack.query_budget < gate.query_budget):
        return f"capped at {attack.query_budget} queries, {gate.query_budget or 'no cap'} is asked"
    if attack.success_rate.n < gate.min_rows:
        return f"{attack.success_rate.n} rows attacked, at least {gate.min_rows} are asked"
    return None


def _name(one: Attachment[Judged]) -> str:
    return f"{one.dataset} {one.result.split}"
