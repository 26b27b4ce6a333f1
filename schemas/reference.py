"""What the schemas say of each field of a document that people write: rows of the reference, and examples as YAML."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

UNIT: Final = re.compile(r" ?Unit: (.+)\.$")
"""How the sentence below a number ends; `none` for one that only counts or scales."""
UNITS_BY_NAME: Final = {"_seconds": "seconds", "_bytes": "bytes"}
"""Names that say it themselves."""
BOUNDS: Final = {
    "minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}",
    "minItems": "{} or more", "maxItems": "at most {}", "maxLength": "at most {} characters",
}  # fmt: skip
Schema = dict[str, Any]


@dataclass(frozen=True)
class FieldRow:
    """One field as people read of it."""

    path: str
    type: str
    default: str
    unit: str
    range: str
    meaning: str
    example: str


@dataclass(frozen=True)
class Example:
    """One field of an example; `left_out`: it may be, and nothing is the default."""

    name: str
    words: str
    value: Any
    left_out: bool


def rows(model: type[BaseModel]) -> list[FieldRow]:
    """Every field, and every field inside: `lora.r`, `sources[].uri`; a choice is `head(frozen).model_version`."""
    schema = TypeAdapter(model).json_schema()
    return list(_rows(schema, schema.get("$defs", {}), ""))


def examples(model: type[BaseModel]) -> list[Example]:
    """Every field of a document that validates once the names in it exist: with its default, or an example."""
    schema = TypeAdapter(model).json_schema()
    defs, required = schema.get("$defs", {}), schema.get("required", ())
    return [_example(name, field, defs, required=name in required) for name, field in schema["properties"].items()]


def unit_of(name: str, field: Schema) -> str:
    """Empty for what is no number."""
    if stated := UNIT.search(field.get("description", "")):
        return "" if stated[1] == "none" else stated[1]
    return next((unit for ending, unit in UNITS_BY_NAME.items() if name.endswith(ending)), "")


def _rows(schema: Schema, defs: dict[str, Schema], prefix: str) -> Iterator[FieldRow]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        path = prefix + name
        yield FieldRow(
            path=path,
            type=_type(field, defs),
            default="required" if name in required else _json(field.get("default")),
            unit=unit_of(name, field),
            range=_range(field, defs),
            meaning=UNIT.sub("", field.get("description", "")),
            example=_json(field["examples"][0]) if field.get("examples") else "",
        )
        for inner, ending in _objects(field, defs):
            yield from _rows(inner, defs, f"{path}{ending}.")


def _objects(field: Schema, defs: dict[str, Schema]) -> Iterator[tuple[Schema, str]]:
    """The objects in a field that people write, and how their path goes on; a reference is written by its name."""
    choices = _choices(field, defs)
    for one in choices:
        if one.get("type") == "array" and "items" in one:
            yield from ((inner, f"[{ending.strip('()')}]") for inner, ending in _objects(one["items"], defs))
        elif named := _values(one):
            yield from ((inner, ".<name>" + ending) for inner, ending in _objects(named, defs))
        elif "properties" in one and not _is_reference(one):
            yield one, f"({_tag(one)})" if len([c for c in choices if c.get("type") != "null"]) > 1 else ""


def _values(one: Schema) -> Schema | None:
    """The schema of an object's values, when any name may stand before them."""
    found = [one.get("additionalProperties"), *one.get("patternProperties", {}).values()]
    return next((schema for schema in found if isinstance(schema, dict)), None)


def _choices(field: Schema, defs: dict[str, Schema]) -> list[Schema]:
    if "$ref" in field:
        return [defs[field["$ref"].rsplit("/", 1)[-1]]]
    found = field.get("anyOf") or field.get("oneOf")
    return [inner for one in found for inner in _choices(one, defs)] if found else [field]


def _is_reference(schema: Schema) -> bool:
    """A dataset version, a model version, a graph, an artifact: the control plane puts it there."""
    return str(schema.get("title", "")).endswith("Ref")


def _tag(schema: Schema) -> str:
    """What tells a choice from the others: the first value that it fixes, wherever it stands, or its first field's."""
    fields = list(schema["properties"].values())
    told = next((field for field in fields if "const" in field), fields[0])
    return str(told.get("const") or " | ".join(told.get("enum", ["job"])))


def _type(field: Schema, defs: dict[str, Schema]) -> str:
    return " or ".join(dict.fromkeys(_type_name(one, defs) for one in _choices(field, defs)))


def _type_name(one: Schema, defs: dict[str, Schema]) -> str:
    if "const" in one or "enum" in one:
        return " or ".join(f"`{value}`" for value in one.get("enum", [one.get("const")]))
    if one.get("type") == "array":
        inner = one.get("items") or (one.get("prefixItems") or [{}])[0]
        return f"list of {_type(inner, defs)}"
    if one.get("type") == "object":
        return one["title"].removesuffix("Ref").lower() + " version" if _is_reference(one) else "object"
    return str(one.get("type", "any"))


def _range(field: Schema, defs: dict[str, Schema]) -> str:
    found: list[str] = []
    for one in _choices(field, defs):
        inner = one.get("items") if one.get("type") == "array" else None
        for part in (one, inner if isinstance(inner, dict) else {}):
            found += [words.format(f"{part[key]:g}") for key, words in BOUNDS.items() if key in part]
    return ", ".join(dict.fromkeys(found))


def _example(name: str, field: Schema, defs: dict[str, Schema], *, required: bool) -> Example:
    unit = unit_of(name, field)
    words = UNIT.sub("", field.get("description", "")) + (f" [{unit}]" if unit else "")
    given = field.get("examples") or []
    if required:
        return Example(name, words, given[0] if given else _composed(field, defs), left_out=False)
    if field.get("default") in (None, [], {}, ""):
        return Example(name, words, given[0] if given else field.get("default"), left_out=True)
    return Example(name, words, field["default"], left_out=False)


def _composed(field: Schema, defs: dict[str, Schema]) -> Any:
    """An example of a field that has none of its own: of its parts that must be there."""
    (first, *_) = _choices(field, defs)
    if first.get("type") == "array":
        return [_composed(first["items"], defs)]
    required = first.get("required", ())
    inner = {name: part for name, part in first.get("properties", {}).items() if name in required}
    return {name: (part.get("examples") or [_composed(part, defs)])[0] for name, part in inner.items()}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
