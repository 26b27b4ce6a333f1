"""Documents that people write: YAML or JSON files, and `key=value` on the line."""

from pathlib import Path
from typing import Any

from controlplane.cli.output import refuse
from controlplane.errors import Invalid


def load(file: Path) -> dict[str, Any]:
    """One YAML or JSON object; exit 2 with the place of the mistake otherwise."""
    from controlplane.domain.document import read_document  # here and below: most verbs read no document

    try:
        return read_document(file.read_bytes())
    except OSError as error:
        refuse(f"{file}: {error.strerror}")
    except Invalid as error:
        refuse(f"{file}: {error.detail if error.field == 'body' else error.in_words}")


def named(file: Path) -> dict[str, Any]:
    document = load(file)
    if "name" not in document:
        refuse(f"{file}: name: expected a value: it is required")
    if not isinstance(document["name"], str):
        refuse(f"{file}: name: expected text, got {document['name']!r}")
    return document


def pairs(words: list[str]) -> dict[str, Any]:
    """`limit=3000 parent=null` as {"limit": 3000, "parent": None}: values are YAML scalars."""
    from controlplane.domain.document import read_value

    found: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            refuse(f"{word!r}: expected key=value")
        if key in found:
            refuse(f"{word!r}: {key} is given twice")
        try:
            found[key] = read_value(value.encode("utf-8", "surrogateescape")) if value else ""
        except Invalid as error:
            refuse(f"{word!r}: {error.detail}")
    return found
