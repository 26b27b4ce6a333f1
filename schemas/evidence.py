"""What is found out about a model version, in the words that several kinds of job share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Self, cast
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from schemas.artifacts import Digest, Fraction, Reference, Split
from schemas.base import Tolerant
from schemas.metrics import METRICS, Direction, Metric
from schemas.model.references import GraphRef, ModelRef

Difference = Annotated[float, Field(ge=-1, le=1)]
KNOWN: Final = cast(Mapping[str, Metric], METRICS)
"""The metrics by whatever name a measurement has: a newer worker may measure more."""


class Interval(Tolerant):
    """A proportion with its 95 % Wilson score interval (Wilson, JASA 1927)."""

    value: Fraction
    low: Fraction
    high: Fraction
    n: int = Field(ge=0)

    @model_validator(mode="after")
    def _the_value_lies_in_it(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} lies outside its interval, {self.low} to {self.high}")
        return self


class Paired(Tolerant):
    """This version beside another one on the same rows: in how many of them something happened to which."""

    both: int = Field(ge=0)
    only_this: int = Field(ge=0)
    only_other: int = Field(ge=0)
    neither: int = Field(ge=0)
    difference: Difference
    """This version's share of the rows minus the other's."""
    low: Difference
    high: Difference
    """The difference's 95 % interval for proportions that share their rows (Newcombe 1998, method 10)."""

    @property
    def n(self) -> int:
        """Rows that were compared."""
        return self.both + self.only_this + self.only_other + self.neither

    @model_validator(mode="after")
    def _the_difference_is_that_of_its_counts(self) -> Self:
        counted = (self.only_this - self.only_other) / max(1, self.n)
        if abs(self.difference - counted) > 1e-9 or not self.low <= self.difference <= self.high:
            raise ValueError(f"difference {self.difference} in {self.low} to {self.high}: expected {counted} within")
        return self


class PairedMean(Tolerant):
    """This version beside another one on the same rows, by a number that each row has for either."""

    n: int = Field(ge=1)
    """Rows that were compared."""
    difference: float
    """This version's value minus the other's."""
    low: float
    high: float
    """The difference's 95 % interval, by the differences of the rows."""

    @model_validator(mode="after")
    def _the_difference_lies_in_its_interval(self) -> Self:
        if not self.low <= self.difference <= self.high:
            raise ValueError(f"{self.difference} lies outside its interval, {self.low} to {self.high}")
        return self


class Measurement(Tolerant):
    """One number that was found out about a version, with how far it may be trusted."""

    metric: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    """One of `schemas/metrics.py`; a reader that does not know it leaves it alone."""
    slice: str | None = None
    """Which rows it is about, such as a label; null: all that were asked."""
    value: float
    low: float
    high: float
    """The value's 95 % interval."""
    n: int = Field(ge=0)
    """Rows that it was measured on."""
    unknown: int = Field(default=0, ge=0)
    """Those of them of which nobody knows the outcome: they are counted against the version."""
    direction: Direction
    """Which way is better, for who does not know the metric."""
    paired: Paired | PairedMean | None = None
    """The same beside the version that was named as `against`, where this metric compares two."""

    @property
    def subject(self) -> str:
        """What was measured, in words."""
        return subject_of(self.metric, self.slice)

    @model_validator(mode="after")
    def _the_value_lies_in_its_interval(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} lies outside its interval, {self.low} to {self.high}")
        if self.unknown > self.n:
            raise ValueError(f"unknown is {self.unknown}: expected at most n, {self.n}")
        return self

    @model_validator(mode="after")
    def _it_is_as_its_metric_says(self) -> Self:
        if (known := KNOWN.get(self.metric)) is None:
            return self
        if self.direction != known.direction:
            raise ValueError(f"direction is {self.direction}: expected {known.direction} for {self.metric}")
        if not (known.low <= self.low and self.high <= known.high):
            raise ValueError(
                f"{self.metric} lies in {self.low:g} to {self.high:g}: expected within {known.low:g} to {known.high:g}"
            )
        if (self.slice is None) != (known.sliced_by is None):
            raise ValueError(f"slice is {self.slice}: expected {slice_expected(known)} for {self.metric}")
        if self.paired is not None and known.paired is None:
            raise ValueError(f"paired: expected null, for two versions are not compared by {self.metric}")
        return self


def subject_of(metric: str, slice_: str | None) -> str:
    """What is measured, in words: `accuracy`, `recall of spam`."""
    return metric if slice_ is None else f"{metric} of {slice_}"


def slice_expected(metric: Metric) -> str:
    return "null" if metric.sliced_by is None else f"a {metric.sliced_by}"


@dataclass(frozen=True)
class AtLeast:
    """Marks a condition of which more is stronger: a finding by less than a gate asks does not count.

    Null is no limit, so more than any number. A condition without this mark must be the one that the gate asks.
    """


class Conditions(Tolerant):
    """What was asked of a version, in the fields of the job's spec: who asks it otherwise may find something else."""

    dataset: UUID
    split: Split
    graph: GraphRef | None = None
    """What was run; null: the version in PyTorch, for it had no graph."""
    against: UUID | None = None
    """The other version that was asked the same."""
    against_graph: GraphRef | None = None
    """What was run of it."""

    @classmethod
    def of(cls, spec: BaseModel) -> Self:
        """What a spec asks; of a version that it refers to, the id."""
        asked = {name: getattr(spec, name) for name in cls.model_fields}
        return cls.model_validate({name: one.id if isinstance(one, Reference) else one for name, one in asked.items()})


class Finding(Tolerant):
    """What every job that finds something out about a model version answers: kept as an attachment of the version."""

    OUTPUT: ClassVar[type[Reference]] = ModelRef
    """What later stages of a pipeline are handed: the version that it is about."""
    model_version: UUID


class FindingOnRows(Finding):
    """A finding by what the version's served graph answered to rows of a dataset version."""

    kind: str
    """The kind of job that found it."""
    conditions: Conditions
    rows_digest: Digest
    """The digest of the rows that were asked, in whatever order: dataset versions that share a split share it."""
    rows_trained_on: int = Field(ge=0)
    """Those of them whose texts the version was trained on: no gate believes what is said of them."""
    measurements: tuple[Measurement, ...]
    """What gates ask: of each metric and slice one."""

    def measured(self, metric: str, slice_: str | None = None) -> Measurement | None:
        return next((one for one in self.measurements if (one.metric, one.slice) == (metric, slice_)), None)

    @model_validator(mode="after")
    def _each_is_measured_once_and_by_its_kind(self) -> Self:
        seen: set[str] = set()
        for one in self.measurements:
            if one.subject in seen:
                raise ValueError(f"measurements: {one.subject} stands there twice: expected it once")
            seen.add(one.subject)
            if (known := KNOWN.get(one.metric)) is not None and known.kind != self.kind:
                raise ValueError(f"measurements: expected no {one.metric}, which a job of kind {known.kind} measures")
        return self
