"""Attack: how often changed texts turn a right answer of a version's served graph wrong."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from schemas.artifacts import ArtifactRef
from schemas.base import Seed, Strict
from schemas.evidence import AtLeast, Conditions, FindingOnRows, Interval
from schemas.jobs.on_rows import OnRowsSpec
from schemas.jobs.references import ServedGraphOf
from schemas.model.references import GraphRef
from schemas.model.tasks import TaskName

Kind = Literal["attack"]
AttackRecipe = Literal["deepwordbug"]
AnswerMetric = Literal["exact_match", "valid_json"]
ATTACKED_TASKS: Final[Mapping[AttackRecipe, tuple[TaskName, ...]]] = {
    "deepwordbug": ("text-classification", "text-generation"),
}
"""Which tasks' versions each recipe attacks."""
CHECKED_BY: Final[Mapping[TaskName, tuple[AnswerMetric, ...]]] = {
    "text-classification": (),
    "text-generation": ("exact_match", "valid_json"),
}
"""By which metrics a task's answer may be found right; none: the answer is the row's, or it is not."""


class AnswerCheck(Strict):
    """When an answer of a text-generation is right."""

    metric: AnswerMetric = Field(examples=["exact_match"])
    """`exact_match`: it is the completion, but for spaces around it; `valid_json`: it is JSON, as every completion of
    the split must be."""
    max_new_tokens: int = Field(default=64, ge=1, le=4096)
    """An answer ends here at the latest. Unit: tokens."""

    def __str__(self) -> str:
        return f"{self.metric} within {self.max_new_tokens} tokens"


class AttackSpec(OnRowsSpec):
    """A served graph and rows in, how often an attacker turns a right answer wrong out."""

    kind: Literal["attack"] = "attack"
    graph: Annotated[GraphRef | None, ServedGraphOf("model_version")] = None
    """What is attacked; null in a request: the version's latest export, put here by the control plane."""
    against_graph: Annotated[GraphRef | None, ServedGraphOf("against")] = None
    """What is attacked of the other version, put here by the control plane."""
    recipe: AttackRecipe = Field(default="deepwordbug", validate_default=True)
    """How texts are changed: letters swapped, dropped, inserted (https://arxiv.org/abs/1801.04354). Only what a user
    wrote is changed: of messages the last of a user, of a prompt what curation's `template` was put around."""
    answer: AnswerCheck | None = Field(default=None, validate_default=True, examples=[{"metric": "exact_match"}])
    """When an answer of a text-generation is right; null: for text-classification, whose answer is right where it is
    the row's label."""
    rows: int = Field(default=40, ge=1, le=10_000)
    """Texts to attack, drawn with the seed. Unit: rows."""
    queries_per_word: int = Field(default=10, ge=1)
    """What an attack may ask the model, for each word that the model reads of a text. Unit: queries per word."""
    query_budget: int | None = Field(default=None, ge=1, examples=[500])
    """However long a text is, an attack on it may ask no more; null: no such cap. Unit: queries."""
    seed: Seed = 0
    """The same seed draws the same rows and changes. Unit: none."""

    @field_validator("recipe")
    @classmethod
    def _it_attacks_such_a_task(cls, recipe: AttackRecipe, info: ValidationInfo) -> AttackRecipe:
        version = info.data.get("model_version")
        if version is not None and (task := version.identity.task.type) not in ATTACKED_TASKS[recipe]:
            known = [name for name, tasks in ATTACKED_TASKS.items() if task in tasks]
            raise ValueError(f"{recipe} attacks no {task}; expected {' or '.join(known) or 'another version'}")
        return recipe

    @field_validator("answer")
    @classmethod
    def _it_is_checked_as_its_task_is(cls, answer: AnswerCheck | None, info: ValidationInfo) -> AnswerCheck | None:
        version = info.data.get("model_version")
        if version is None:
            return answer
        task = version.identity.task.type
        if (expected := CHECKED_BY[task]) and answer is None:
            raise ValueError(f"null; expected an object whose metric is {' or '.join(expected)}, for {task}")
        if answer is not None and answer.metric not in expected:
            raise ValueError(
                f"metric {answer.metric}; expected null, for {task} answers with the row's label or does not"
            )
        return answer


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
    answer: AnswerCheck | None = None
    """When an answer of a text-generation was right: an attack that checked it otherwise does not count; null: for
    text-classification."""


class AttackConditions(Conditions):
    """What was asked of a version by an attack, as its spec says it."""

    recipe: AttackRecipe
    queries_per_word: int = Field(ge=1)
    query_budget: int | None = None
    seed: Seed
    answer: AnswerCheck | None = None


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
