"""What is known about a version, and which of it is evidence for a gate: named by the policy, never picked by time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from schemas.artifacts import Digest
from schemas.base import Strict
from schemas.evidence import AtLeast, Conditions, FindingOnRows, Measurement, Paired, PairedMean
from schemas.gates import MetricGate, NamedRows
from schemas.jobs import JobResult
from schemas.jobs.results import GraphResult, VersionResult
from schemas.model.references import GraphRef
from schemas.model.tasks import TextClassification

MOST_TOLD = 5
"""Results that do not count, each with its reason, in one verdict."""


Found = TypeVar("Found")


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


class VersionEvidence(_Frozen):
    """What is known about one version."""

    version: UUID
    recorded: VersionResult
    """What it is and what it cost its rows, as the job that made it said."""
    attachments: tuple[Attachment[JobResult], ...] = ()
    """What jobs learnt about it, oldest first."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that it tells apart; none where an answer is no class."""
        task = self.recorded.identity.task
        return task.labels if isinstance(task, TextClassification) else ()

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
    candidate: VersionEvidence
    champion: VersionEvidence | None
    """What serves now; None: a first release, to which comparisons do not apply."""
    splits: dict[str, Digest]
    """`reviews/1 test` to the digest of its rows, for every split that a gate names and that exists."""


@dataclass(frozen=True)
class Measured:
    """A finding that a gate asks about, with what it measured of the gate's metric."""

    attachment: Attachment[FindingOnRows]
    measurement: Measurement

    @property
    def conditions(self) -> Conditions:
        return self.attachment.result.conditions

    @property
    def paired(self) -> Paired | PairedMean:
        """The paired comparison in one that `sift_pairs` let through."""
        assert self.measurement.paired is not None
        return self.measurement.paired


@dataclass(frozen=True)
class Sifted:
    """Findings that count, oldest first, and in words why the others do not."""

    counting: tuple[Measured, ...]
    objections: tuple[str, ...]

    def without(self, objection: Callable[[Measured], str | None]) -> "Sifted":
        """Those that count and to which there is no objection."""
        found = [(one, objection(one)) for one in self.counting]
        refused = tuple(_objection(one.attachment, why) for one, why in found if why)
        return Sifted(tuple(one for one, why in found if not why), (*self.objections, *refused))

    def missing(self, what: str) -> str:
        """What is missing, and what is there instead."""
        if not self.objections:
            return what
        more = len(self.objections) - MOST_TOLD
        rest = f"; and {more} more" if more > 0 else ""
        return f"{what}; what does not count: {'; '.join(self.objections[:MOST_TOLD])}{rest}"


def split_name(rows: NamedRows) -> str:
    """`reviews/1 test`: a name without a version is its first."""
    dataset = rows.dataset if "/" in rows.dataset else f"{rows.dataset}/1"
    return f"{dataset} {rows.split}"


def sift(gate: MetricGate, evidence: Evidence) -> Sifted:
    """Findings of the kind that measures the gate's metric: those that measured it as the gate asks."""

    def objection(one: Measured) -> str | None:
        weaker = gate.conditions and _weaker(gate.conditions, one.conditions)
        return weaker or _too_few(gate, one) or _other_rows(gate, evidence, one)

    return _measured(gate, evidence).without(objection)


def sift_pairs(sifted: Sifted, champion: VersionEvidence) -> Sifted:
    """Those that were made beside what serves now, as it serves now."""

    def objection(one: Measured) -> str | None:
        conditions, paired = one.conditions, one.measurement.paired
        if conditions.against is None or paired is None:
            return "it was not made `against` another version"
        if conditions.against != champion.version:
            return f"it was made against {conditions.against}, which does not serve"
        if conditions.against_graph != champion.graph:
            return "it ran on another graph of the champion than the one that serves"
        return None if paired.n else "no row could be compared"

    return sifted.without(objection)


def _measured(gate: MetricGate, evidence: Evidence) -> Sifted:
    findings = [one for one in evidence.candidate.of(FindingOnRows) if one.result.kind == gate.definition.kind]
    measured = [(one, one.result.measured(gate.metric, gate.slice)) for one in findings]
    counting = tuple(Measured(one, found) for one, found in measured if found)
    lacking = tuple(_objection(one, f"it measured no {gate.subject}") for one, found in measured if not found)
    return Sifted(counting, lacking)


def _weaker(asked: Strict, conditions: Conditions) -> str | None:
    """The first condition that the gate asks and that was not met."""
    return next(filter(None, (_unmet(name, asked, conditions) for name in type(asked).model_fields)), None)


def _unmet(name: str, asked: Strict, conditions: Conditions) -> str | None:
    wanted, found = getattr(asked, name), getattr(conditions, name)
    if any(isinstance(mark, AtLeast) for mark in type(asked).model_fields[name].metadata):
        if found is None or (wanted is not None and found >= wanted):
            return None
        return f"{name} {found}, {'no limit' if wanted is None else f'at least {wanted}'} is asked"
    return None if found == wanted else f"{name} {found}, {wanted} is asked"


def _too_few(gate: MetricGate, one: Measured) -> str | None:
    n = one.measurement.n
    return f"{n} rows, at least {gate.min_rows} are asked" if n < gate.min_rows else None


def _other_rows(gate: NamedRows, evidence: Evidence, one: Measured) -> str | None:
    named, rows = split_name(gate), one.attachment.rows
    if one.conditions.split != gate.split or rows is None or rows != evidence.splits.get(named):
        return f"other rows than {named}"
    if one.conditions.graph != evidence.candidate.graph:
        return "it ran on another graph than the one that would be served"
    if seen := one.attachment.result.rows_trained_on:
        return f"the version was trained on {seen} of these rows"
    return None


def _objection(one: Attachment[FindingOnRows], why: str) -> str:
    return f"{one.dataset} {one.result.conditions.split}: {why}"
