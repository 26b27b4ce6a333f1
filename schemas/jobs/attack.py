"""Attack: how often changed texts turn a right answer of a version's served graph wrong."""

from typing import Literal

from pydantic import Field

from schemas.artifacts import ArtifactRef
from schemas.base import Seed
from schemas.evidence import FindingOnRows, Interval
from schemas.jobs.on_rows import OnRowsSpec

Kind = Literal["attack"]
AttackRecipe = Literal["deepwordbug"]


class AttackSpec(OnRowsSpec):
    """A served graph and rows in, how often an attacker turns a right answer wrong out."""

    kind: Literal["attack"] = "attack"
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


class AttackResult(FindingOnRows):
    """`paired` counts rows that both versions answer right and that an attack breaks.

    A row out of budget counts against this version: as broken for it, as not broken for the other.
    """

    kind: Literal["attack"] = "attack"
    recipe: AttackRecipe
    queries_per_word: int = Field(ge=1)
    query_budget: int | None = None
    seed: Seed
    succeeded: int = Field(ge=0)
    """Rows whose right answer an attack turned wrong."""
    failed: int = Field(ge=0)
    """Rows on which the recipe had nothing left to try."""
    out_of_budget: int = Field(ge=0)
    """Rows on which it had, but no queries left: nobody knows."""
    skipped: int = Field(ge=0)
    """Rows that were answered wrong before any attack."""
    success_rate: Interval
    """Share of the rows answered right before the attack that it turned; those out of budget count as not broken."""
    worst_success_rate: Interval
    """The same with every row out of budget counted as broken: what gates ask."""
    clean_accuracy: Interval
    accuracy_under_attack: Interval
    """Rows answered right that no attack could turn; one out of budget is none of them."""
    mean_queries: float = Field(ge=0)
    examples: ArtifactRef
    """JSONL: original and perturbed text, label, answers and queries of each row. No API hands it out."""
