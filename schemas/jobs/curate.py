"""Curation: raw rows become an immutable dataset version."""

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.artifacts import DatasetRef, Name, SourceUri
from schemas.base import Seed, Strict
from schemas.encodings import Encoding
from schemas.jobs.results import DatasetResult
from schemas.labels import Label

Kind = Literal["curate"]


class Source(Strict):
    """Where rows come from and which of their columns mean what."""

    uri: SourceUri = Field(examples=["file:///data/reviews.csv"])
    """Where the file is, as the worker reads it: `file://`, `s3://`, `hf://` or `pypi://`."""
    format: Literal["csv", "tsv", "jsonl", "json", "parquet"] | None = Field(default=None, examples=["csv"])
    """How the file is written; null: by its ending."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1, examples=[";"])
    """What stands between two fields of a CSV or TSV file; null: the one with which the header names the columns."""
    encoding: Encoding | None = Field(default=None, examples=["utf-16"])
    """How characters are stored in a text file; null: UTF-8, or UTF-16 where the file's beginning says so."""
    quote: str | None = Field(default=None, max_length=1, examples=[""])
    """What stands around a field with a delimiter in it; empty: nothing does, a quote is a character; null: a double
    quote, where the file's beginning reads best so."""
    header: bool = True
    """Whether the first line names the columns; false: they are named by position, "0", "1", …"""
    text: str = "text"
    """The column with the text."""
    label: str = "label"
    """The column with the label."""
    group: str | None = Field(default=None, examples=["review_id"])
    """A column whose rows of one value never lie in two splits; null: every row is its own group."""
    group_pattern: str | None = Field(default=None, max_length=200, examples=["^(.*)_"])
    """A regular expression whose first capture in the group column is the group; null: the whole value is."""
    label_thresholds: tuple[float, float] | None = Field(default=None, examples=[[2, 4]])
    """[low, high]: a number at or below low becomes `labels[0]`, at or above high `labels[1]`, between them it is
    rejected; null: labels are taken as they are. Unit: the label's own."""
    limit: int | None = Field(default=None, ge=1, examples=[3000])
    """Take at most so many accepted rows, drawn with the seed; null: all of them. Unit: rows."""
    offset: int = Field(default=0, ge=0)
    """Skip so many of that same seeded order first, so that two batches of one source do not overlap. Unit: rows."""


class Splits(Strict):
    """Sizes of validation and test: a fraction of the rows when below 1, else a count of rows. The rest is train."""

    validation: float = Field(default=0.1, ge=0)
    """What a training is judged by while it goes on. Unit: fraction of the rows below 1, else rows."""
    test: float = Field(default=0.2, ge=0)
    """What gates and attacks ask, and no training sees. Unit: fraction of the rows below 1, else rows."""
    balanced: bool = False
    """Whether validation and test hold the same number of rows of each label."""

    @model_validator(mode="after")
    def _fractions_leave_rows_to_train_on(self) -> Self:
        if max(self.validation, self.test) < 1 <= self.validation + self.test:
            raise ValueError(
                f"validation {self.validation:g} and test {self.test:g} leave nothing to train on: expected less "
                "than 1 of the rows together"
            )
        return self


class CurateSpec(Strict):
    """Raw rows in, an immutable dataset version out."""

    kind: Literal["curate"] = "curate"
    """The kind of job."""
    dataset: Name = Field(examples=["reviews"])
    """The dataset that gets a new version; it is made when there is none of that name."""
    sources: tuple[Source, ...] = Field(min_length=1, max_length=32)
    """Files whose rows are taken together, in this order."""
    labels: tuple[Label, ...] = Field(default=(), max_length=100, examples=[["negative", "positive"]])
    """Labels in the order of the model's classes, rows of any other are rejected; empty: every label that occurs."""
    min_words: int = Field(default=1, ge=0)
    """Shorter texts are rejected. Unit: words."""
    max_words: int | None = Field(default=None, ge=1, examples=[256])
    """From which length on `long_texts` says what becomes of a text; null: texts may be of any length. Unit: words."""
    long_texts: Literal["keep", "truncate", "reject"] = "keep"
    """What becomes of a text above max_words: it is cut there, or rejected; `keep` needs no max_words, because a model
    reads the first `max_length` tokens of a text anyway."""
    splits: Splits = Splits()
    """How the rows are divided."""
    seed: Seed = 0
    """The same sources and seed give the same rows in the same splits. Unit: none."""
    parent: DatasetRef | None = Field(default=None, examples=["reviews@latest"])
    """A version whose rows keep their splits: new rows go to train, and to another split only where it has none; null:
    the rows of these sources alone. In a request also `reviews@latest`, `reviews/3` or an id."""

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Self:
        if (self.max_words is None) != (self.long_texts == "keep"):
            raise ValueError(
                f"max_words is {self.max_words} and long_texts `{self.long_texts}`: `truncate` and `reject` need a "
                "max_words, and max_words needs one of them"
            )
        if self.max_words is not None and self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is above max_words {self.max_words}")
        return self


class CurateResult(DatasetResult):
    kind: Literal["curate"] = "curate"
    truncated: int = 0
    """Rows whose text was cut, as the spec asked."""
    warnings: tuple[str, ...] = ()
    """What a person should look at, in words: many rows were rejected, labels that no split but train has."""
