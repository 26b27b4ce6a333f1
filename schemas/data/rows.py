"""What a row of a dataset version is: row schemas are data, and their names stand in manifests and parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

RowSchemaName = Literal["text_label"]
GROUP: Final = "group"
"""The column beside those of every row schema: rows of one group never lie in two splits."""


@dataclass(frozen=True)
class RowSchema:
    """One kind of row."""

    name: RowSchemaName
    columns: Mapping[str, str]
    """Column to Arrow type. Their values in this order are a row's canonical form, over which digests are made."""
    shown: tuple[str, ...]
    """The order in which people are shown a row."""

    @property
    def stored(self) -> dict[str, str]:
        """Every column of a part, with its Arrow type."""
        return {**self.columns, GROUP: "string"}


ROW_SCHEMAS: Final[Mapping[RowSchemaName, RowSchema]] = {
    schema.name: schema
    for schema in (RowSchema("text_label", {"text": "string", "label": "string"}, shown=("label", "text", GROUP)),)
}
