"""Writes docs/limits.md's tables from the code: `python -m deploy.limits`. What has a size has a limit there."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from controlplane.api.app import create_app
from controlplane.settings import Settings
from controlplane.store.database import Database
from schemas.cloudevent import InboundEvent
from schemas.jobs import SPEC
from schemas.marked import with_part

ROOT: Final = Path(__file__).parents[1]
DOCUMENT: Final = ROOT / "docs" / "limits.md"
PACKAGES: Final = ("schemas", "processes", "controlplane", "workers")
WORDS: Final = {"maxLength": "characters", "maxItems": "items", "maximum": "", "exclusiveMaximum": "below"}
Scope = dict[str, Any]


def constants() -> Iterator[tuple[str, str, int | float, str]]:
    """Module, name, value and words of every module-level `MAX_…`; words may be missing, which a test refuses."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield from ((module, *found) for found in _in(ast.parse(path.read_text())))


def _in(tree: ast.Module) -> Iterator[tuple[str, int | float, str]]:
    for node, below in zip(tree.body, [*tree.body[1:], ast.Pass()], strict=False):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        if name.startswith("MAX_"):
            words = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
            yield name, _number(value), " ".join(str(words).split())


def _number(value: ast.expr) -> Any:
    """The value of an expression of numbers alone."""
    match value:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.BinOp(left=left, op=ast.LShift(), right=right):
            return int(_number(left)) << int(_number(right))
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _number(left) * _number(right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _number(left) - _number(right)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return int(_number(left)) ** int(_number(right))
        case _:
            raise ValueError(f"line {value.lineno}: a limit is a number, or numbers with <<, *, - or ** between them")


def constants_table() -> str:
    lines = ["| limit | value | of what |", "|---|---|---|"]
    lines += [f"| `{module}.{name}` | {_shown(name, value)} | {words} |" for module, name, value, words in constants()]
    return "\n".join(lines)


def fields_table() -> str:
    """The bounds of every body that the API takes, of every job's spec and of somebody else's event."""
    lines = ["| field | at most |", "|---|---|"]
    for name, schema in sorted(taken().items()):
        for field, inner in schema.get("properties", {}).items():
            if found := _bounds(inner):
                lines.append(f"| `{name}.{field}` | {', '.join(found)} |")
    return "\n".join(lines)


def taken() -> dict[str, Scope]:
    """The schemas of what comes in, by their names; what only goes out is not among them."""
    document = create_app(Settings(), Database("sqlite:///never-opened.db")).openapi()
    bodies = [verb.get("requestBody", {}) for path in document["paths"].values() for verb in path.values()]
    known = document["components"]["schemas"]
    found = {name: known[name] for name in _reached(bodies, known)}
    for adapter in (SPEC, TypeAdapter(InboundEvent)):  # the API reads these by hand
        schema = adapter.json_schema(mode="validation")
        definitions = schema.pop("$defs", {})
        found |= definitions | ({schema["title"]: schema} if "title" in schema else {})
    return found


def _reached(value: Any, known: dict[str, Scope]) -> set[str]:
    """Names of the schemas that a part of the document refers to, and of those that these refer to."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        match waiting.pop():
            case {"$ref": str(reference)} if (name := reference.rpartition("/")[2]) not in found:
                found.add(name)
                waiting.append(known[name])
            case dict(inner):
                waiting += inner.values()
            case list(inner):
                waiting += inner
    return found


def _bounds(schema: Scope) -> list[str]:
    found = []
    for key, word in WORDS.items():
        if key in schema:
            number = _plain(schema[key])
            found.append(f"{word} {number}" if word == "below" else f"{number} {word}".strip())
    for choice in schema.get("anyOf", []):
        found += _bounds(choice)
    if isinstance(items := schema.get("items"), dict):
        found += [f"each {bound}" for bound in _bounds(items)]
    return found


def _plain(number: float) -> str:
    """OpenAPI's bounds are floats, whatever the field is."""
    return f"{int(number) if number == int(number) else number:,}"


def _shown(name: str, value: int | float) -> str:
    if "BYTES" in name or name in ("MAX_LINE", "MAX_RECORD"):
        for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
            if value % size == 0 and value >= size:
                return f"{int(value) // size} {unit}"
    return f"{value:,}"


def with_tables(text: str) -> str:
    return with_part(with_part(text, "constants", constants_table()), "fields", fields_table())


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text()))
