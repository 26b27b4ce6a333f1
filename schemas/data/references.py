"""Fields of a spec whose dataset version must have rows of some row schemas: others are refused at the request."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator

from schemas.artifacts import DatasetRef
from schemas.data.rows import RowSchemaName


def with_rows(ref: DatasetRef, of: Sequence[RowSchemaName]) -> DatasetRef:
    """The reference, for a validator to hand on. ValueError: its rows are none of these."""
    if ref.row_schema not in of:
        raise ValueError(
            f"expected a dataset version with rows of {' or '.join(of)}; {ref.dataset}/{ref.version} has rows of "
            f"{ref.row_schema}"
        )
    return ref


TextLabelRef = Annotated[DatasetRef, AfterValidator(lambda ref: with_rows(ref, ("text_label",)))]
"""A dataset version of texts with labels."""
