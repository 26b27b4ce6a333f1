"""A text with its label, in the columns that the source names."""

from collections.abc import Mapping
from typing import Final

from workers.curate.shapes.shape import Fields, Shape, Values
from workers.curate.shapes.values import Fault, name_in, text_in


def values(fields: Fields, names: Mapping[str, str]) -> Values | Fault:
    text, label = fields[names["text"]], fields[names["label"]]
    if label is None and text is not None:
        return Fault("empty_label")
    said = text_in(text, "empty_text")
    if isinstance(said, Fault):
        return said
    name = name_in(label, "empty_label")
    return name if isinstance(name, Fault) else (said.strip(), name)


TEXT_LABEL: Final = Shape("text_label", ("text", "label"), values)
