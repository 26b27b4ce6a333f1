"""Merging: model versions of one base and one frozen head become their weighted sum."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.artifacts import ModelRef, Name
from schemas.base import Strict
from schemas.jobs.results import VersionResult

Kind = Literal["merge"]
MergeMethod = Literal["cat"]


class MergeSource(Strict):
    """One version of a merge, and its share."""

    model_version: ModelRef = Field(examples=["sentiment/1"])
    """Whose adapter. In a request also `sentiment@champion`, `sentiment/3` or an id."""
    weight: float = 1.0
    """What its update is multiplied by in the sum. Unit: none."""


class MergeSpec(Strict):
    """Versions with one base, one feature recipe and one frozen head in, their weighted sum out."""

    kind: Literal["merge"] = "merge"
    """The kind of job."""
    model: Name = Field(examples=["sentiment"])
    """The registered model that gets the merged version."""
    merge_method: MergeMethod = "cat"
    """`cat`: the updates are summed exactly, and so are their ranks."""
    sources: tuple[MergeSource, ...] = Field(
        min_length=2, max_length=16, examples=[[{"model_version": "sentiment/1"}, {"model_version": "sentiment/2"}]]
    )
    """The versions to sum: of one base, one feature recipe and one frozen head."""

    @field_validator("merge_method", mode="before")
    @classmethod
    def _linear_is_refused_with_its_reason(cls, value: object) -> object:
        if value == "linear":
            raise ValueError(
                "`linear` averages the LoRA factors A and B separately, so products of different adapters' factors "
                "appear and the result is not the weighted sum of their updates; use `cat`, which is exact"
            )
        return value

    @model_validator(mode="after")
    def _sources_can_be_summed(self) -> Self:
        refs = [source.model_version for source in self.sources]
        for field, advice in (
            ("base_digest", "merge versions of one base model"),
            ("feature_recipe", "merge versions of one feature recipe"),
            ("head_digest", "train them with `head: {type: frozen, model_version: …}` of one version"),
        ):
            seen = {getattr(ref, field) for ref in refs}
            if len(seen) > 1:
                names = ", ".join(f"{ref.model}/{ref.version}" for ref in refs)
                raise ValueError(f"{names} differ in {field}: {advice}")
        return self


class MergeResult(VersionResult):
    kind: Literal["merge"] = "merge"
