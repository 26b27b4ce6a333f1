"""Curation: raw rows become an immutable dataset version."""

from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.artifacts import DatasetRef, Name, SourceUri
from schemas.base import Seed, Strict
from schemas.data.operators import DEFAULT, GroupBy, OfSources, Operator, Splits
from schemas.data.rows import ROW_SCHEMAS, RowSchemaName
from schemas.encodings import Encoding
from schemas.jobs.results import DatasetResult

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
    columns: dict[str, str] = Field(default={}, max_length=2, examples=[{"prompt": "question", "completion": "answer"}])
    """The columns of rows that are not text and label: what a row schema calls them, and what the file does; empty:
    they are recognised as `prompt` and `completion`, as Alpaca's `instruction`, `input` and `output`, as OpenAI's
    `messages` or as ShareGPT's `conversations`."""
    group: str | None = Field(default=None, examples=["review_id"])
    """A column whose rows of one value never lie in two splits; null: every row is its own group."""


class CurateSpec(Strict):
    """Raw rows in, an immutable dataset version out."""

    kind: Literal["curate"] = "curate"
    """The kind of job."""
    dataset: Name = Field(examples=["reviews"])
    """The dataset that gets a new version; it is made when there is none of that name."""
    row_schema: RowSchemaName = "text_label"
    """What a row of it is: a text with its label, a prompt with its completion, or the messages of a conversation."""
    sources: tuple[Source, ...] = Field(min_length=1, max_length=32)
    """Files whose rows are taken together, in this order."""
    operators: tuple[Operator, ...] = Field(default=DEFAULT, min_length=1, max_length=32)
    """What becomes of the rows, in this order: operators that are given each source's rows alone, then those that are
    given all of them, and `split` last."""
    seed: Seed = 0
    """The same sources and seed give the same rows in the same splits. Unit: none."""
    parent: DatasetRef | None = Field(default=None, examples=["reviews@latest"])
    """A version whose rows keep their splits: new rows go to train, and to another split only where it has none; null:
    the rows of these sources alone. In a request also `reviews@latest`, `reviews/3` or an id."""

    @model_validator(mode="after")
    def _operators_are_in_order(self) -> Self:
        splits = [place for place, operator in enumerate(self.operators) if isinstance(operator, Splits)]
        if splits != [len(self.operators) - 1]:
            raise ValueError(f"operators: found {len(splits)} split; expected one, as the last of them")
        for before, after in pairwise(self.operators):
            if (before.scope, after.scope) == ("dataset", "source"):
                raise ValueError(
                    f"operators: {after.op} comes after {before.op}, which is given all sources' rows together; "
                    "expected before it what each source's rows are given to alone"
                )
        return self

    @model_validator(mode="after")
    def _everything_is_of_one_row_schema(self) -> Self:
        schema = ROW_SCHEMAS[self.row_schema]
        for operator in self.operators:
            if self.row_schema not in operator.ROW_SCHEMAS:
                expected = ", ".join(operator.ROW_SCHEMAS)
                raise ValueError(f"operators: {operator.op} is for rows of {expected}; row_schema is {self.row_schema}")
            if isinstance(operator, Splits) and operator.balanced and not schema.is_labelled:
                raise ValueError(f"operators: balanced splits need labels, which rows of {self.row_schema} have not")
        for index, source in enumerate(self.sources):
            if source.columns and (schema.is_labelled or set(source.columns) != set(schema.columns)):
                expected = "text and label" if schema.is_labelled else f"columns for {', '.join(schema.columns)}"
                raise ValueError(
                    f"sources[{index}].columns names {', '.join(source.columns)}; rows of {self.row_schema} "
                    f"need {expected}"
                )
        if self.parent is not None and self.parent.row_schema != self.row_schema:
            raise ValueError(
                f"parent: {self.parent.dataset}/{self.parent.version} has rows of {self.parent.row_schema}; "
                f"expected {self.row_schema}, which is row_schema"
            )
        return self

    @model_validator(mode="after")
    def _operators_are_of_sources_that_there_are(self) -> Self:
        for operator in self.operators:
            if not isinstance(operator, OfSources):
                continue
            if unknown := [index for index in operator.sources if index >= len(self.sources)]:
                raise ValueError(
                    f"operators: {operator.op} is for source {unknown[0]}; expected below {len(self.sources)}, "
                    "the number of sources"
                )
            for index, source in enumerate(self.sources):
                if isinstance(operator, GroupBy) and operator.concerns(index) and source.group is None:
                    raise ValueError(
                        f"operators: group_by needs the field group of sources[{index}]: the column that it is "
                        "applied to"
                    )
        return self


class CurateResult(DatasetResult):
    kind: Literal["curate"] = "curate"
    truncated: int = 0
    """Rows whose text was cut, as the spec asked."""
    warnings: tuple[str, ...] = ()
    """What a person should look at, in words: many rows were rejected, labels that no split but train has."""
