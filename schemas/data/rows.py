"""What a row of a dataset version is: row schemas are data, and their names stand in manifests and parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

RowSchemaName = Literal["text_label", "prompt_completion", "messages"]
GROUP: Final = "group"
"""The column beside those of every row schema: rows of one group never lie in two splits."""
MESSAGES: Final = "list<element: struct<role: string not null, content: string not null>>"
"""A conversation as Arrow has it."""
Role = Literal["system", "user", "assistant"]
"""Who says a message of a conversation."""


@dataclass(frozen=True)
class RowSchema:
    """One kind of row."""

    name: RowSchemaName
    columns: Mapping[str, str]
    """Column to Arrow type. Their values in this order are a row's canonical form, over which digests are made."""
    shown: tuple[str, ...]
    """The order in which people are shown a row."""

    @property
    def is_labelled(self) -> bool:
        """Whether its rows have labels, by which they can be balanced and rejected."""
        return "label" in self.columns

    @property
    def stored(self) -> dict[str, str]:
        """Every column of a part, with its Arrow type."""
        return {**self.columns, GROUP: "string"}


ROW_SCHEMAS: Final[Mapping[RowSchemaName, RowSchema]] = {
    schema.name: schema
    for schema in (
        RowSchema("text_label", {"text": "string", "label": "string"}, shown=("label", "text", GROUP)),
        RowSchema("prompt_completion", {"prompt": "string", "completion": "string"}, ("prompt", "completion", GROUP)),
        RowSchema("messages", {"messages": MESSAGES}, ("messages", GROUP)),
    )
}
