"""Fields of a spec whose dataset version must have rows of one row schema: another is refused at the request."""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator

from schemas.artifacts import DatasetRef
from schemas.data.rows import RowSchemaName


def _has(row_schema: RowSchemaName) -> Callable[[DatasetRef], DatasetRef]:
    def check(ref: DatasetRef) -> DatasetRef:
        if ref.row_schema != row_schema:
            raise ValueError(
                f"expected a dataset version with rows of {row_schema}; {ref.dataset}/{ref.version} has rows of "
                f"{ref.row_schema}"
            )
        return ref

    return check


TextLabelRef = Annotated[DatasetRef, AfterValidator(_has("text_label"))]
"""A dataset version of texts with labels."""
