"""What becomes of rows on their way into a dataset version: a closed list of operators, each with its own settings.

An operator's implementation is the module of its name in its family's folder, `workers/curate/operators/FAMILY/OP.py`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from schemas.base import Strict
from schemas.data.rows import RowSchemaName
from schemas.labels import Label

Stability = Literal["record-local", "cross-record"]
Scope = Literal["source", "dataset"]
SourceIndex = Annotated[int, Field(ge=0)]


class OperatorSettings(Strict):
    """What every operator says of itself."""

    FAMILY: ClassVar[str]
    """The folder of its implementation."""
    STABILITY: ClassVar[Stability] = "record-local"
    """Record-local: a row's fate depends on the row alone. Cross-record: on the others too."""
    ROW_SCHEMAS: ClassVar[tuple[RowSchemaName, ...]] = get_args(RowSchemaName)
    """The row schemas whose rows it makes sense of."""
    SEEDED: ClassVar[bool] = False
    """Whether the spec's seed is one of its settings."""
    REJECTS: ClassVar[Mapping[str, str]] = {}
    """The reasons for which it leaves rows out, each with what a person can do about it."""
    op: str
    """Which operator."""
    version: int
    """What it does, as a number: with other behaviour it has another, so that a digest tells which rows are meant.
    Unit: none."""

    @property
    def scope(self) -> Scope:
        """Whether it is given the rows of one source at a time, or those of all together."""
        return "source"


class OfSources(OperatorSettings):
    """An operator that may be meant for some of the spec's sources."""

    sources: tuple[SourceIndex, ...] = Field(default=(), max_length=32, examples=[[0]])
    """Whose rows it is given, counted from 0; empty: those of each source. Unit: none."""

    def concerns(self, source: int) -> bool:
        return not self.sources or source in self.sources


class Truncate(OperatorSettings):
    """Texts are cut."""

    FAMILY = "text"
    ROW_SCHEMAS = ("text_label",)
    op: Literal["truncate"] = "truncate"
    version: Literal[1] = 1
    max_words: int = Field(ge=1, examples=[256])
    """What is left of a longer text: so many words, with what stands between them. A model reads the first `max_length`
    tokens of a text anyway. Unit: words."""


class TextLength(OperatorSettings):
    """Endless texts are rejected."""

    FAMILY = "text"
    REJECTS = {"too_long": "raise max_characters, or cut them with the operator truncate"}
    op: Literal["text_length"] = "text_length"
    version: Literal[1] = 1
    max_characters: int = Field(default=1_000_000, ge=1)
    """Longer texts are rejected. Unit: characters."""


class WordCount(OperatorSettings):
    """Texts of too few or too many words are rejected."""

    FAMILY = "text"
    REJECTS = {
        "too_few_words": "lower min_words",
        "too_many_words": "raise max_words, or cut them with the operator truncate",
    }
    op: Literal["word_count"] = "word_count"
    version: Literal[1] = 1
    min_words: int = Field(default=1, ge=0)
    """Shorter texts are rejected. Unit: words."""
    max_words: int | None = Field(default=None, ge=1, examples=[256])
    """Longer texts are rejected; null: texts may have any number of words. Unit: words."""

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Self:
        if self.max_words is not None and self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is above max_words {self.max_words}")
        return self


class Labels(OfSources):
    """Rows of labels that are not listed are rejected."""

    FAMILY = "labels"
    ROW_SCHEMAS = ("text_label",)
    REJECTS = {
        "unknown_label": "the list labels does not name these labels: add them, or leave the operator labels out",
        "label_not_a_number": "thresholds are for a column of numbers",
        "label_between_thresholds": "thresholds leave these rows out on purpose; bring them closer to keep more",
    }
    op: Literal["labels"] = "labels"
    version: Literal[1] = 1
    labels: tuple[Label, ...] = Field(min_length=1, max_length=100, examples=[["negative", "positive"]])
    """Labels in the order of the model's classes; without this operator every label that occurs is one."""
    thresholds: tuple[float, float] | None = Field(default=None, examples=[[2, 4]])
    """[low, high]: a number at or below low becomes `labels[0]`, at or above high `labels[1]`, between them it is
    rejected; null: labels are taken as they are. Unit: the label's own."""

    @model_validator(mode="after")
    def _thresholds_divide_two_labels(self) -> Self:
        if self.thresholds is None:
            return self
        low, high = self.thresholds
        if len(self.labels) != 2 or low > high:
            raise ValueError(
                f"thresholds ({low:g}, {high:g}) needs low <= high and two labels; labels has {len(self.labels)}"
            )
        return self

    @field_validator("labels")
    @classmethod
    def _labels_differ(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if twice := [label for label, count in Counter(labels).items() if count > 1]:
            raise ValueError(f"label {twice[0]!r} is named twice")
        return labels


class Band(Strict):
    """Numbers that mean one thing."""

    low: float | None = Field(default=None, allow_inf_nan=False, examples=[4])
    """The least of them; null: none is too low. Unit: the number's own."""
    high: float | None = Field(default=None, allow_inf_nan=False, examples=[2])
    """The greatest of them; null: none is too high. Unit: the number's own."""
    completion: str = Field(min_length=1, max_length=20_000)
    """What they mean."""

    @model_validator(mode="after")
    def _low_is_not_above_high(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self

    def holds(self, number: float) -> bool:
        return (self.low is None or self.low <= number) and (self.high is None or number <= self.high)


class Bands(OfSources):
    """Completions that are numbers become what the band in which they lie says."""

    FAMILY = "completions"
    ROW_SCHEMAS = ("prompt_completion",)
    REJECTS = {
        "completion_not_a_number": "bands are for a column of numbers",
        "completion_between_bands": "bands leave these rows out on purpose; bring them closer to keep more",
    }
    op: Literal["bands"] = "bands"
    version: Literal[1] = 1
    bands: tuple[Band, ...] = Field(
        min_length=1, max_length=100, examples=[[{"high": 2, "completion": "bad"}, {"low": 4, "completion": "good"}]]
    )
    """The first that holds a number says what it means; a number in none of them is rejected."""


class Template(OfSources):
    """Every prompt gets the same words around it."""

    PLACE: ClassVar[str] = "{prompt}"
    FAMILY = "text"
    ROW_SCHEMAS = ("prompt_completion",)
    op: Literal["template"] = "template"
    version: Literal[1] = 1
    prompt: str = Field(max_length=20_000, examples=["Review: {prompt}\nSentiment:"])
    """`{prompt}` stands for the row's own; everything else is taken as it is."""

    @field_validator("prompt")
    @classmethod
    def _it_says_where_the_row_stands(cls, prompt: str) -> str:
        if cls.PLACE not in prompt:
            raise ValueError(f"expected {cls.PLACE} in it, where the row's own prompt shall stand")
        return prompt


class GroupBy(OfSources):
    """A part of the group column is the group."""

    FAMILY = "groups"
    REJECTS = {"group_pattern_mismatch": "the pattern does not match these rows' groups"}
    op: Literal["group_by"] = "group_by"
    version: Literal[1] = 1
    pattern: str = Field(max_length=200, examples=["^(.*)_"])
    """A regular expression whose first capture in the group column is the group."""

    @field_validator("pattern")
    @classmethod
    def _pattern_captures(cls, pattern: str) -> str:
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        if compiled.groups < 1:
            raise ValueError(f"{pattern!r} captures nothing; expected one (…)")
        return pattern


class Deduplicate(OperatorSettings):
    """One row is kept of those with one normal form, and none where their labels differ.

    The normal form is of a text, of a prompt with its completion, or of a conversation.
    """

    FAMILY = "duplicates"
    STABILITY = "cross-record"
    REJECTS = {
        "duplicate": "their texts are there already; nothing to do unless the text column is the wrong one",
        "conflicting_label": "one text has several labels: decide for one of them",
    }
    op: Literal["deduplicate"] = "deduplicate"
    version: Literal[1] = 1
    within: Scope = "dataset"
    """Among which rows: those of each source alone, or of all together, where the parent version's win."""

    @property
    def scope(self) -> Scope:
        return self.within


class Sample(OfSources):
    """A slice of a source's rows in the order that the seed gives them."""

    FAMILY = "sampling"
    STABILITY = "cross-record"
    SEEDED = True
    op: Literal["sample"] = "sample"
    version: Literal[1] = 1
    limit: int | None = Field(default=None, ge=1, examples=[3000])
    """Take at most so many rows; null: all of them. What is not taken is no reject. Unit: rows."""
    offset: int = Field(default=0, ge=0)
    """Skip so many of that same seeded order first, so that two batches of one source do not overlap. Unit: rows."""


class Splits(OperatorSettings):
    """Every row gets its split: a group, a text or a prompt never lies in two of them. The rest is train.

    A split that the parent version has is not filled up: its rows are what every version is measured on.
    """

    FAMILY = "sampling"
    STABILITY = "cross-record"
    SEEDED = True
    REJECTS = {
        "group_is_held_out": "their group is in a split of the parent version that is not trained on",
        "unbalanced_remainder": "balanced splits leave out what one label has more; set balanced to false to keep it",
    }
    op: Literal["split"] = "split"
    version: Literal[1] = 1
    validation: float = Field(default=0.1, ge=0)
    """What a training is judged by while it goes on. Unit: fraction of the rows below 1, else rows."""
    test: float = Field(default=0.2, ge=0)
    """What gates and attacks ask, and no training sees. Unit: fraction of the rows below 1, else rows."""
    balanced: bool = False
    """Whether validation and test hold the same number of rows of each label."""

    @property
    def scope(self) -> Scope:
        return "dataset"

    @field_validator("validation", "test")
    @classmethod
    def _it_is_a_fraction_or_a_count(cls, size: float) -> float:
        if size >= 1 and not size.is_integer():
            raise ValueError("expected a fraction of the rows below 1, or a whole number of rows")
        return size

    @model_validator(mode="after")
    def _fractions_leave_rows_to_train_on(self) -> Self:
        if max(self.validation, self.test) < 1 <= self.validation + self.test:
            raise ValueError(
                f"validation {self.validation:g} and test {self.test:g} leave nothing to train on: expected less "
                "than 1 of the rows together"
            )
        return self


Operator = Annotated[
    Truncate | TextLength | WordCount | Labels | Bands | Template | GroupBy | Deduplicate | Sample | Splits,
    Field(discriminator="op"),
]
OPERATORS: Final[tuple[type[OperatorSettings], ...]] = get_args(get_args(Operator)[0])
DEFAULT: Final[tuple[Operator, ...]] = (
    TextLength(),
    WordCount(),
    Deduplicate(within="source"),
    Sample(),
    Deduplicate(),
    Splits(),
)
"""What happens to the rows of a spec that lists no operators."""


def pipeline(*changes: Operator) -> tuple[Operator, ...]:
    """The default operators, with these in place of those of their kind, or before the first that compares rows.

    A cut comes before the lengths are judged.
    """
    kinds = {type(operator) for operator in DEFAULT}
    replaced = {type(operator): operator for operator in changes if type(operator) in kinds}
    added = [operator for operator in changes if type(operator) not in kinds]
    kept = [replaced.get(type(operator), operator) for operator in DEFAULT]
    local = [operator for operator in (*added, *kept) if operator.STABILITY == "record-local"]
    order = [*OPERATORS]
    return (
        *sorted(local, key=lambda operator: order.index(type(operator))),
        *(operator for operator in kept if operator.STABILITY == "cross-record"),
    )


def resolved(operators: Iterable[Operator], seed: int) -> Iterator[dict[str, Any]]:
    """What was done to the rows, as data: the settings that are not their defaults, and the seed where one is used.

    A setting that is added with a default later changes nothing of it, and so no dataset's digest.
    """
    for operator in operators:
        yield {
            "op": operator.op,
            "version": operator.version,
            **({"seed": seed} if operator.SEEDED and seed else {}),
            **operator.model_dump(mode="json", exclude_defaults=True, exclude={"op", "version"}),
        }
