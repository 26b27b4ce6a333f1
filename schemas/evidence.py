"""What results of several kinds say in the same words: a proportion with its interval, and two versions on one set of
rows."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from schemas.artifacts import Fraction, GraphRef
from schemas.base import Tolerant

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
