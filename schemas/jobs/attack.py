"""Attack: how often changed texts turn a right answer of a version's served graph wrong."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.artifacts import ArtifactRef
from schemas.base import Seed, Strict
from schemas.evidence import AtLeast, Conditions, FindingOnRows, Interval
from schemas.jobs.on_rows import OnRowsSpec
from schemas.model.references import ClassifierRef

Kind = Literal["attack"]
AttackRecipe = Literal["deepwordbug"]


class AttackSpec(OnRowsSpec):
    """A served graph and rows in, how often an attacker turns a right answer wrong out."""

    kind: Literal["attack"] = "attack"
    model_version: ClassifierRef = Field(examples=["sentiment@latest"])
    """Which version is attacked. In a request also `sentiment@latest`, `sentiment/3` or an id."""
    recipe: AttackRecipe = "deepwordbug"
    """How texts are changed: letters swapped, dropped, inserted (https://arxiv.org/abs/1801.04354)."""
    rows: int = Field(default=40, ge=1, le=10_000)
    """Texts to attack, drawn with the seed. Unit: rows."""
    queries_per_word: int = Field(default=10, ge=1)
    """What an attack may ask the model, for each word that the model reads of a text. Unit: queries per word."""
    query_budget: int | None = Field(default=None, ge=1, examples=[500])
    """However long a text is, an attack on it may ask no more; null: no such cap. Unit: queries."""
    seed: Seed = 0
    """The same seed draws the same rows and changes. Unit: none."""


class AttackStrength(Strict):
    """How strong an attack must have been to count."""

    recipe: AttackRecipe = Field(examples=["deepwordbug"])
    """Which attack."""
    queries_per_word: Annotated[int, AtLeast()] = Field(ge=1, examples=[10])
    """An attack with less does not count. Unit: queries per word."""
    query_budget: Annotated[int | None, AtLeast()] = Field(default=None, ge=1, examples=[500])
    """An attack that was capped below it does not count; null: none that was capped does. Unit: queries."""
    seed: Seed = 0
    """Which rows are drawn: an attack with another seed does not count. Unit: none."""


class AttackConditions(Conditions):
    """What was asked of a version by an attack, as its spec says it."""

    recipe: AttackRecipe
    queries_per_word: int = Field(ge=1)
    query_budget: int | None = None
    seed: Seed


class AttackResult(FindingOnRows):
    """How often the attack succeeded, and how often the version was right before it and after."""

    kind: Literal["attack"] = "attack"
    conditions: AttackConditions
    succeeded: int = Field(ge=0)
    """Rows whose right answer an attack turned wrong."""
    failed: int = Field(ge=0)
    """Rows on which the recipe had nothing left to try."""
    out_of_budget: int = Field(ge=0)
    """Rows on which it had, but no queries left: nobody knows."""
    skipped: int = Field(ge=0)
    """Rows that were answered wrong before any attack."""
    success_rate: Interval
    """Share of the rows answered right before the attack that it turned; those out of budget count as not broken, so
    no gate asks it."""
    mean_queries: float = Field(ge=0)
    examples: ArtifactRef
    """JSONL: original and perturbed text, expected answer, answers and queries of each row. No API hands it out."""
