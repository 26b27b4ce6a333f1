"""FULL_TRANSITIVE: a document may only gain optional fields, compared with every released one.

`python -m schemas.compatibility freeze 0.1` keeps the generated documents of a release in `schemas/released/0.1/`.
"""

import shutil
import sys
from pathlib import Path
from typing import Any, Final

from schemas.asyncapi import GENERATED

RELEASED: Final = Path(__file__).parent / "released"
WORDS: Final = frozenset({"title", "description", "default", "examples", "$schema", "$defs", "discriminator"})
"""Keywords that say nothing about what is accepted, or are followed from elsewhere."""
Schema = dict[str, Any]


def breaks(old: Schema, new: Schema, *, may_widen: bool = False) -> list[str]:
    """What a reader of one version could not read of the other's writer, in words.

    `may_widen`: choices may be added. So it is with a job's spec: a worker refuses a choice that it does not know, and
    the job waits for another.
    """
    return _Comparison(old, new, may_widen).schemas(old, new, "")


class _Comparison:
    def __init__(self, old: Schema, new: Schema, may_widen: bool) -> None:
        self._old, self._new, self._may_widen = old, new, may_widen
        self._seen: set[tuple[str, str]] = set()

    def schemas(self, old: Any, new: Any, path: str) -> list[str]:
        if isinstance(old, dict) and isinstance(new, dict):
            pair = (str(old.get("$ref")), str(new.get("$ref")))
            if "$ref" in old and pair in self._seen:
                return []  # a type that holds itself
            self._seen.add(pair)
            old, new = _resolved(old, self._old), _resolved(new, self._new)
            return self._properties(old, new, path) + self._keywords(old, new, path)
        return [] if old == new else [f"{path or 'document'}: {old!r} became {new!r}"]

    def _properties(self, old: Schema, new: Schema, path: str) -> list[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
        found = [f"{path}.{name}: removed or renamed" for name in sorted(before.keys() - after.keys())]
        found += [f"{path}.{name}: newly required" for name in sorted(required_after - required_before)]
        found += [f"{path}.{name}: no longer sure to be there" for name in sorted(required_before - required_after)]
        for name in sorted(before.keys() & after.keys()):
            found += self.schemas(before[name], after[name], f"{path}.{name}")
        return found

    def _keywords(self, old: Schema, new: Schema, path: str) -> list[str]:
        found = []
        for word in sorted((old.keys() | new.keys()) - WORDS - {"properties", "required"}):
            before, after = old.get(word), new.get(word)
            if word in ("enum", "anyOf", "oneOf", "prefixItems"):
                found += self._choices(before or [], after or [], f"{path}[{word}]")
            else:
                found += self.schemas(before, after, f"{path}[{word}]")
        return found

    def _choices(self, old: list[Any], new: list[Any], path: str) -> list[str]:
        names_before, names_after = [_name(one) for one in old], [_name(one) for one in new]
        found = [f"{path}: {name} is no longer a choice" for name in names_before if name not in names_after]
        if not self._may_widen:
            found += [f"{path}: {name} is a new choice" for name in names_after if name not in names_before]
        for name, before in zip(names_before, old, strict=True):
            if name in names_after:
                found += self.schemas(before, new[names_after.index(name)], f"{path}.{name}")
        return found


def _resolved(schema: Schema, document: Schema) -> Schema:
    reference = schema.get("$ref")
    if reference is None:
        schema = dict(schema)
        if "const" in schema:  # one choice, so that a second one is a wider enum and not another keyword
            schema["enum"] = [schema.pop("const")]
        return schema
    target: Any = document
    for part in reference.removeprefix("#/").split("/"):
        target = target[part]
    return _resolved(target, document)


def _name(choice: Any) -> str:
    if not isinstance(choice, dict):
        return repr(choice)
    return str(choice.get("$ref") or choice.get("type") or choice.get("const") or choice)


def freeze(release: str) -> None:
    """Keep what is generated now as what was released: from then on it may only gain optional fields."""
    folder = RELEASED / release
    if folder.exists():
        raise SystemExit(f"{folder} exists: what is released does not change")
    for name in ("events", "jobs"):
        shutil.copytree(GENERATED / name, folder / name)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "freeze":
        raise SystemExit("usage: python -m schemas.compatibility freeze RELEASE")
    freeze(sys.argv[2])
