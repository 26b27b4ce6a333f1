"""Which shape a source's rows have: told by its columns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from schemas.data.rows import RowSchemaName
from schemas.jobs.curate import Source
from workers.curate.formats.columns import listed
from workers.curate.formats.reading import columns_of
from workers.curate.shapes.messages import CONVERSATIONS, MESSAGES
from workers.curate.shapes.prompt_completion import ALPACA, PROMPT_COMPLETION
from workers.curate.shapes.shape import Reader, Shape
from workers.curate.shapes.text_label import TEXT_LABEL
from workers.runtime.errors import JobError

SHAPES: Final[Mapping[RowSchemaName, Sequence[Shape]]] = {
    "text_label": (TEXT_LABEL,),
    "prompt_completion": (PROMPT_COMPLETION, ALPACA),
    "messages": (MESSAGES, CONVERSATIONS),
}
"""In the order in which they are tried; the first has the row schema's own names, and is the one that a source may
rename the columns of."""


def recognise(path: Path, source: Source, index: int, row_schema: RowSchemaName) -> Reader:
    """How its records are read. The source of the answer names the columns. JobError: it has none of the shapes."""
    own, *_ = SHAPES[row_schema]
    if row_schema == "text_label":
        _refuse_rows_of_another_schema(path, source)
        return Reader(own, source, index, {"text": source.text, "label": source.label})
    if source.columns:
        return Reader(own, source, index, source.columns)
    found = columns_of(path, source)
    shape = next((shape for shape in SHAPES[row_schema] if set(shape.columns) <= set(found)), None)
    if shape is None:
        expected = ", or ".join(" and ".join(shape.columns) for shape in SHAPES[row_schema])
        raise JobError(
            f"source {source.uri}: its columns are no {row_schema}: expected {expected}, or the field columns to name "
            f"them; found: {listed(found)}"
        )
    names = {name: name for name in (*shape.columns, *shape.optional) if name in found}
    return Reader(shape, source.model_copy(update={"columns": names}), index, names)


def _refuse_rows_of_another_schema(path: Path, source: Source) -> None:
    """Whoever left the row schema out is told which one the columns are of."""
    found = set(columns_of(path, source))
    if {source.text, source.label} <= found:
        return
    for row_schema, shapes in SHAPES.items():
        for shape in shapes:
            if shape is not TEXT_LABEL and set(shape.columns) <= found:
                raise JobError(
                    f"source {source.uri}: its columns {' and '.join(shape.columns)} are those of rows of "
                    f"{row_schema}: set field row_schema to {row_schema}, or name its columns in field text and field "
                    f"label; found: {listed(found)}"
                )
