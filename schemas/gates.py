"""The gates of a rollout's policy: what a version must have proved before it gets any traffic.

Whether it has is judged by `controlplane/domain/gates.py`, a function for each.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.artifacts import Fraction
from schemas.base import Strict
from schemas.evidence import slice_expected, subject_of
from schemas.jobs.attack import AttackStrength
from schemas.labels import MAX_LABEL
from schemas.metrics import METRICS, Metric, MetricName
from schemas.model.precision import Precision

NamedDataset = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?(/[1-9][0-9]{0,8})?$")]
"""`reviews` or `reviews/3`."""


class NamedRows(Strict):
    """Which results are evidence. What matches none of this does not count, whatever it says."""

    dataset: NamedDataset = Field(examples=["reviews"])
    """`reviews/3`, or `reviews` for `reviews/1`. Later versions that keep its rows of the split, as those curated with
    `parent` do, count as it; a version with other rows does not, whoever made it."""
    split: Literal["validation", "test"] = "test"
    """Which of its rows."""
    min_rows: int = Field(ge=1, examples=[1000])
    """A result on fewer does not count. Unit: rows."""
    of: Literal["worst", "first"] = "worst"
    """Which one decides where several results count: the worst, or the one that came first. Never the newest."""


class MetricGate(NamedRows):
    """A metric on named rows: the worse end of its interval, and how much worse than the champion's it may be."""

    gate: Literal["metric"] = "metric"
    """The gate."""
    metric: MetricName = Field(examples=["accuracy"])
    """What was measured."""
    slice: str | None = Field(default=None, min_length=1, max_length=MAX_LABEL, examples=["negative"])
    """The label, for a metric that is measured label by label; null for the others."""
    minimum: float | None = Field(default=None, examples=[0.85])
    """The lower end of the 95 % interval must reach it, for a metric that is better when higher; null for the others.
    Unit: that of the metric."""
    maximum: float | None = Field(default=None, examples=[0.6])
    """The upper end of the 95 % interval must not pass it, for a metric that is better when lower; null for the
    others. Unit: that of the metric."""
    not_worse_than_champion_by: float | None = Field(default=None, ge=0, examples=[0.02])
    """The worse end of the 95 % interval of the paired difference from the champion must not be worse by more; needs a
    result `against` it. Null, or a first release: not compared. Unit: that of the metric."""
    attack: AttackStrength | None = None
    """How strong an attack must have been to count, for a metric that attacks measure; null for the others."""

    @property
    def definition(self) -> Metric:
        """What there is to know of its metric."""
        return METRICS[self.metric]

    @property
    def subject(self) -> str:
        """What it asks about, in words."""
        return subject_of(self.metric, self.slice)

    @property
    def bound(self) -> float:
        """What the worse end of the interval must reach or must not pass."""
        bound = self.minimum if self.definition.direction == "maximize" else self.maximum
        assert bound is not None
        return bound

    @property
    def conditions(self) -> Strict | None:
        """What must have been asked beside the rows, field by field; None: nothing else."""
        return self.attack

    @model_validator(mode="after")
    def _its_bound_is_on_the_worse_side(self) -> Self:
        metric = self.definition
        asked, other = ("minimum", "maximum") if metric.direction == "maximize" else ("maximum", "minimum")
        if (given := getattr(self, other)) is not None:
            better = "higher" if asked == "minimum" else "lower"
            raise ValueError(
                f"{other} is {given:g}: expected null and a {asked}, for {self.metric} is better when {better}"
            )
        if (bound := getattr(self, asked)) is None or not metric.low <= bound <= metric.high:
            shown = "null" if bound is None else f"{bound:g}"
            raise ValueError(f"{asked} is {shown}: expected a number {metric.range} for {self.metric}")
        return self

    @model_validator(mode="after")
    def _it_compares_what_can_be_compared(self) -> Self:
        metric, margin = self.definition, self.not_worse_than_champion_by
        if margin is None or (metric.paired and margin <= metric.high - metric.low):
            return self
        expected = f"at most {metric.high - metric.low:g}" if metric.paired else "null"
        why = "" if metric.paired else ", by which two versions are not compared"
        raise ValueError(f"not_worse_than_champion_by is {margin:g}: expected {expected} for {self.metric}{why}")

    @model_validator(mode="after")
    def _its_slice_and_conditions_are_those_of_its_metric(self) -> Self:
        metric = self.definition
        if (self.slice is None) != (metric.sliced_by is None):
            shown = "null" if self.slice is None else repr(self.slice)
            raise ValueError(f"slice is {shown}: expected {slice_expected(metric)} for {self.metric}")
        if (self.attack is None) == (metric.kind == "attack"):
            shown, expected = ("null", "an object") if self.attack is None else ("an object", "null")
            raise ValueError(
                f"attack is {shown}: expected {expected} for {self.metric}, which a job of kind {metric.kind} measures"
            )
        return self


AbsDiff = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]


class Int4Bounds(Strict):
    """What is asked of a graph in int4. Neither has a default: how far rounding moves answers is the base's own."""

    max_abs_diff: AbsDiff = Field(examples=[10.0])
    """The greatest difference that the export may have measured. Unit: logits."""
    min_agreement: Fraction = Field(examples=[0.9])
    """The share of tokens of greedy answers that must have been the trained model's. Unit: fraction."""


class ParityGate(Strict):
    """The graph that will be served answers as the trained model does."""

    gate: Literal["parity"] = "parity"
    """The gate."""
    max_abs_diff: AbsDiff = 1e-3
    """The greatest difference that the export may have measured. Unit: logits."""
    min_agreement: Fraction = 0.0
    """The share of labels, or of tokens of greedy answers, that must have been the trained model's. Unit: fraction."""
    min_rows: int = Field(default=16, ge=2)
    """A parity measured on fewer does not count. Unit: rows."""
    int4: Int4Bounds | None = None
    """The bounds of a graph in int4, in place of those above; null: none in int4 passes."""

    def bounds(self, precision: Precision) -> "ParityGate | Int4Bounds | None":
        """What is asked of a graph in that precision; None: none passes."""
        return self if precision == "fp32" else self.int4


Gate = Annotated[MetricGate | ParityGate, Field(discriminator="gate")]
