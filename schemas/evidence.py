"""What is found out about a model version, in the words that several kinds of job share."""

from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import Field, model_validator

from schemas.artifacts import Digest, Fraction, Reference, Split
from schemas.base import Tolerant
from schemas.model.references import GraphRef, ModelRef

Difference = Annotated[float, Field(ge=-1, le=1)]


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

    against: UUID
    """The other version."""
    graph: GraphRef
    """What was run of it."""
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


class Finding(Tolerant):
    """What every job that finds something out about a model version answers: kept as an attachment of the version."""

    OUTPUT: ClassVar[type[Reference]] = ModelRef
    """What later stages of a pipeline are handed: the version that it is about."""
    model_version: UUID


class FindingOnRows(Finding):
    """A finding by what the version's served graph answered to rows of a dataset version."""

    dataset: UUID
    split: Split
    graph: GraphRef
    """What was run."""
    rows_digest: Digest
    """The digest of the rows that were asked, in whatever order: dataset versions that share a split share it."""
    rows_trained_on: int = Field(ge=0)
    """Those of them whose texts the version was trained on: no gate believes what is said of them."""
    paired: Paired | None = None
    """What happened on these rows, beside the version that the spec says `against`."""
