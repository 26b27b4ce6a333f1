"""Reads documents that a stranger wrote: no tags, no key twice, no size that grows by aliases, nothing unstorable."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import yaml

from controlplane.errors import Invalid
from schemas.faults import CREDENTIALS, kind_of

MAX_NODES: Final = 20_000
"""Values in a pipeline, trigger or other document, counted after its aliases are followed."""
MAX_DEPTH: Final = 64
"""Levels of nesting in a document."""
MAX_PLACE: Final = 200
"""Characters of a value's place that are told."""
MAX_INTEGER: Final = 2**63 - 1
"""Either way: what both databases hold."""
UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
"""U+0000 and halves of surrogate pairs: no database of ours holds them."""
NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""U+0000 as JSON escapes it, and not an escaped backslash before `u0000`."""
PLAIN: Final = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("merge", "<<", "<"),
)
"""What a word without quotes means, by its first character: the core schema of YAML 1.2, as JSON has it. `no` and
`1:30` are texts and `5e-5` is a number; by YAML 1.1, which the library reads, they are false, ninety and a text."""


class _Loader(yaml.SafeLoader):
    pass


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            raise yaml.constructor.ConstructorError(
                None, None, "merge keys (`<<`) are not read here", key_node.start_mark
            )
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key!r}: expected text; put it in quotes", key_node.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is written twice", key_node.start_mark)
        seen[key] = loader.construct_object(value_node, deep=True)
    return seen


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    if len(text) > len(str(MAX_INTEGER)) + 1:
        raise yaml.constructor.ConstructorError(None, None, "an integer beyond 64 bits", node.start_mark)
    return int(text, 0 if text[:2] in ("0o", "0x") else 10)


_Loader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in PLAIN:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


def load_document(body: bytes, name: str) -> dict[str, Any]:
    """The mapping in a YAML (or JSON) document; its `name` may be left out, and may not be another one.

    Raises Invalid with the place of the fault.
    """
    value = read_document(body)
    if value.setdefault("name", name) != name:
        raise Invalid(f"the body's name is {value['name']!r}, expected {name!r} as in the path", field="name")
    return value


def read_document(body: bytes) -> dict[str, Any]:
    """The mapping in a YAML (or JSON) document. Raises Invalid with the place of the fault."""
    value = read_value(body)
    if not isinstance(value, dict):
        raise Invalid(f"expected an object with keys, found {kind_of(value)}", field="body")
    return value


def read_value(body: bytes) -> Any:
    """Whatever a YAML (or JSON) document holds. Raises Invalid with the place of the fault."""
    try:
        value = yaml.load(body.decode("utf-8"), Loader=_Loader)
    except UnicodeDecodeError as error:
        raise Invalid(f"not UTF-8: {error.reason} at byte {error.start}", field="body") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Invalid(f"not readable as YAML or JSON: {_fault(error)}", field="body") from error
    _refuse_growth_and_secrets(value)
    refuse_unstorable(value, "body")
    return value


def _fault(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark
        return f"{error.problem}" + (f" at line {mark.line + 1}, column {mark.column + 1}" if mark else "")
    if isinstance(error, yaml.reader.ReaderError):
        return f"{error.reason}, at character {error.position}"
    return "nested too deeply" if isinstance(error, RecursionError) else "a value is not what its tag says"


def json_bytes(value: Any, field: str) -> bytes:
    """A value as JSON. Raises Invalid for what a database cannot hold: NaN, U+0000, half a surrogate pair."""
    try:
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise Invalid(
            f"{field} holds a lone surrogate (\\ud800 to \\udfff), expected Unicode text", field=field
        ) from error
    except (ValueError, RecursionError) as error:
        raise Invalid(
            f"{field} holds NaN, an infinity or too deep a nesting, expected plain JSON", field=field
        ) from error
    if NUL.search(body):
        raise Invalid(f"{field} holds the character U+0000, which a database cannot store", field=field)
    return body


def refuse_unstorable(value: Any, field: str) -> None:
    """Raise Invalid, naming the place, for JSON that a database cannot hold. Iterative: a stranger chose the depth."""
    waiting = [(value, field, "" if field == "body" else f"{field}.", 0)]
    while waiting:
        item, place, inside, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise Invalid(f"nested deeper than {MAX_DEPTH} levels", field=field)
        if isinstance(item, dict):
            waiting.extend((key, f"{field}: a key", "", depth) for key in item)
            waiting.extend(_inner(item.items(), inside, depth))
        elif isinstance(item, list):
            waiting.extend(_inner(enumerate(item), inside, depth))
        elif problem := _unstorable(item):
            raise Invalid(problem, field=place.encode("utf-8", "backslashreplace").decode())


def _inner(items: Iterable[tuple[Any, Any]], inside: str, depth: int) -> Iterator[tuple[Any, str, str, int]]:
    """Each value with its place, what stands before the places within it, and how deep it lies."""
    for key, item in items:
        place = f"{inside}{key}"[:MAX_PLACE]
        yield item, place, f"{place}.", depth + 1


def _unstorable(item: Any) -> str | None:
    if isinstance(item, str) and UNSTORABLE.search(item):
        return "holds U+0000 or half of a surrogate pair, expected Unicode text that a database can store"
    if isinstance(item, float) and not math.isfinite(item):
        return f"{item} is not JSON, expected a finite number"
    if isinstance(item, int) and abs(item) > MAX_INTEGER:
        return f"an integer beyond 64 bits, expected at most {MAX_INTEGER}"
    return None


def _refuse_growth_and_secrets(value: Any) -> None:
    """Aliases make a small text stand for a huge value; counted as if written out. Nor may it hold a secret."""
    stack, nodes = [value], 0
    while stack:
        nodes += 1
        if nodes > MAX_NODES:
            raise Invalid(f"it has more than {MAX_NODES} values, aliases written out", field="body")
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, str) and CREDENTIALS.search(item):
            raise Invalid("a URI names a user or a password, which would be kept: expected one without", field="body")
