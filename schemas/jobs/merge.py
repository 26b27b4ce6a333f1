"""Merging: model versions of one base and one task become their weighted sum."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.artifacts import Name
from schemas.base import Strict
from schemas.jobs.results import VersionResult
from schemas.model.forms import LowRank
from schemas.model.identity import ModelIdentity
from schemas.model.methods import Merged, MergeMethod
from schemas.model.references import ModelRef

Kind = Literal["merge"]
_ALIKE: Final = (("base.digest", "merge versions of one base model"), ("task.type", "merge versions for one task"))
"""Fields of their identities in which all versions of a merge are alike, and what to do where they are not."""
_ALIKE_BY_TASK: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "text-classification": (
        ("task.feature_recipe", "merge versions of one feature recipe"),
        (
            "task.head_digest",
            "train them with one version's head: `{type: frozen, model_version: …}` in `task`",
        ),
    ),
    "text-generation": (
        ("task.chat_template_digest", "merge versions of one chat template"),
        ("task.stop_token_ids", "merge versions that end their answers alike"),
    ),
}


class MergeSource(Strict):
    """One version of a merge, and its share."""

    model_version: ModelRef = Field(examples=["sentiment/1"])
    """Whose adapter. In a request also `sentiment@champion`, `sentiment/3` or an id."""
    weight: float = 1.0
    """What its update is multiplied by in the sum. Unit: none."""


class MergeSpec(Strict):
    """Versions of one base and one task in, their weighted sum out."""

    kind: Literal["merge"] = "merge"
    """The kind of job."""
    model: Name = Field(examples=["sentiment"])
    """The registered model that gets the merged version."""
    merge_method: MergeMethod = "cat"
    """`cat`: the updates are summed exactly, and so are their ranks."""
    sources: tuple[MergeSource, ...] = Field(
        min_length=2, max_length=16, examples=[[{"model_version": "sentiment/1"}, {"model_version": "sentiment/2"}]]
    )
    """The versions to sum: of one base and one task. Classifiers have one feature recipe and one frozen head too."""

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
        for number, ref in enumerate(refs):
            if not isinstance(ref.identity.form, LowRank):
                raise ValueError(
                    f"sources.{number}.model_version: {ref.model}/{ref.version} has form `{ref.identity.form.type}`, "
                    "expected `low_rank`: `cat` sums factors, which other forms do not have"
                )
        for field, advice in (*_ALIKE, *_ALIKE_BY_TASK[refs[0].identity.task.type]):
            seen = {attrgetter(field)(ref.identity) for ref in refs}
            if len(seen) > 1:
                names = ", ".join(f"{ref.model}/{ref.version}" for ref in refs)
                raise ValueError(f"{names} differ in {field}: {advice}")
        return self

    def identity(self) -> ModelIdentity:
        """What the weighted sum is: of the sources' base and task, with the ranks of all of them."""
        sources = [source.model_version.identity for source in self.sources]
        forms = [source.form for source in sources if isinstance(source.form, LowRank)]
        modules = {module for form in forms for module in form.target_modules}
        return sources[0].model_copy(
            update={
                "method": Merged(merge_method=self.merge_method),
                "form": LowRank(r=sum(form.r for form in forms), target_modules=tuple(sorted(modules))),
                "max_length": max(source.max_length for source in sources),
            }
        )


class MergeResult(VersionResult):
    kind: Literal["merge"] = "merge"
