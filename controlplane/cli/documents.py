"""Documents that people write: YAML or JSON files, and `key=value` on the line."""

from pathlib import Path
from typing import Any

from controlplane.cli.output import refuse


def load(file: Path) -> dict[str, Any]:
    """One YAML or JSON object; exit 2 with the place of the mistake otherwise."""
    import yaml  # here and below: most verbs read no document

    try:
        document = yaml.safe_load(file.read_text())
    except OSError as error:
        refuse(f"{file}: {error.strerror}")
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        refuse(f"{file}: not YAML: {error}")
    if not isinstance(document, dict):
        refuse(f"{file}: expected an object with keys, found {type(document).__name__}")
    return document


def named(file: Path) -> dict[str, Any]:
    document = load(file)
    if not isinstance(document.get("name"), str):
        refuse(f"{file}: name: expected the name as a string, found {document.get('name')!r}")
    return document


def pairs(words: list[str]) -> dict[str, Any]:
    """`limit=3000 parent=null` as {"limit": 3000, "parent": None}: values are YAML scalars."""
    import yaml

    found: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            refuse(f"{word!r}: expected key=value")
        try:
            found[key] = yaml.safe_load(value) if value else ""
        except yaml.YAMLError as error:
            refuse(f"{word!r}: not a YAML value: {error}")
    return found
