"""What is wrong with a document, in the words of whoever wrote it: one sentence a field, for every door of ours.

pydantic tells of a value that may be one of several things once for each of them, and speaks of inputs, tags and
regular expressions. Here a field is named once, with the value and what was expected.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from pydantic import BaseModel, ValidationError

CREDENTIALS: Final = re.compile(r"://[^/\s]*@")
SECRET: Final = re.compile(r"(token|secret|password)(?!_file)|(^|\.)reference$")
"""A field whose value is shown to nobody; a reference is the text of somebody's answer."""
SHOWN_CHARACTERS: Final = 80
"""How many characters of a refused value are shown."""
FAULTS_OF_A_LINE: Final = 5
CHOICES: Final = ("literal_error", "enum", "union_tag_invalid")
"""What pydantic calls a word that is none of a closed list."""
CHOICE: Final = re.compile(r"'([^']*)'")
UNION_MEMBER: Final = re.compile(
    r"^(int|float|str|bool|none|bytes|datetime|uuid|any|nullable|[A-Z].*|.*\[.*|constrained-.*|function-.*|is-instance.*)$"
)
"""What pydantic puts into a place for a member of a union, where there is no document to look the place up in."""
PATTERNS: Final[Mapping[str, str]] = {
    r"^[a-z][a-z0-9_-]{0,39}$": "a lower-case letter, then up to 39 lower-case letters, digits, _ and -",
    r"^sha256:[0-9a-f]{64}$": "sha256: and 64 hexadecimal digits in lower case",
    r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$": "up to 64 lower-case letters, digits, ., _ and -, the first and the "
    "last of them a letter or a digit",
    r"^(file|s3|hf|pypi)://([^\s/?#@]+(/[^\s?#]*)?|/[^\s?#]+)(#\S*)?$": "a URI that begins with file://, "
    "s3://, hf:// or pypi://, without spaces or credentials",
    r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?(/[1-9][0-9]{0,8})?$": "a dataset's name, or name/version",
    r"^[a-z_][a-z0-9_]*(\.[a-z0-9_]+)*$": "the name of a module in lower case, such as attention.query",
    r"^[0-9a-f]{32}$": "32 hexadecimal digits in lower case",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$": "up to 200 letters, digits, ., _ and -, the first of them "
    "a letter or a digit",
}
"""Every pattern of the contract in words; a test holds that none is missing."""


class FieldFault(BaseModel):
    """One field that is wrong."""

    field: str
    expected: str
    value: str | None = None
    """Shortened; absent where it is no scalar or could be a secret."""
    meant: str | None = None
    """The word that the value is nearest to, where words of a closed list are expected and one is near."""

    def __str__(self) -> str:
        got = "" if self.value is None else f", got {self.value!r}"
        said = f"{self.expected}{got}{did_you_mean(self.meant)}"
        return f"{self.field}: {said}" if self.field else said

    def without_value(self) -> "FieldFault":
        """For readers other than whoever gave it."""
        return self.model_copy(update={"value": None, "meant": None})


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name that a word was perhaps meant to be."""
    from difflib import get_close_matches  # here: most verbs refuse nothing

    return next(iter(get_close_matches(word, list(names), 1)), None)


def did_you_mean(name: str | None) -> str:
    """The end of a refusal that says so."""
    return f"; did you mean {name!r}?" if name else ""


def kind_of(value: object) -> str:
    """What a value of somebody's JSON or YAML is, in words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds = {dict: "an object", list: "a list", tuple: "a list", str: "text", int: "a number", float: "a number"}
    return next(
        (name for kind, name in kinds.items() if isinstance(value, kind)),
        "nothing" if value is None else f"a {type(value).__name__}",
    )


def in_words(
    error: ValidationError, document: Any = None, prefix: str = "", *, with_values: bool = True
) -> list[FieldFault]:
    """Each field once. With the document that was refused, places are exact also within unions.

    Without values where somebody else than its writer reads it: a log, a dead letter.
    """
    return field_faults(error.errors(include_url=False, include_input=with_values), document, prefix)


def line(error: ValidationError, document: Any = None, prefix: str = "", *, with_values: bool = True) -> str:
    """The first faults in one line."""
    found = in_words(error, document, prefix, with_values=with_values)
    return "; ".join(str(fault) for fault in found[:FAULTS_OF_A_LINE])


def field_faults(errors: Sequence[Any], document: Any = None, prefix: str = "") -> list[FieldFault]:
    """As `in_words`, of pydantic's list of errors."""
    places: dict[tuple[str | int, ...], list[Any]] = {}
    for error in errors:
        places.setdefault(_place(error, document), []).append(error)
    return [
        _fault(prefix, place, found)
        for place, found in places.items()
        # of a value that may be a document or something else, what is wrong within the document says more
        if not any(other[: len(place)] == place and len(other) > len(place) for other in places if place)
    ]


def _fault(prefix: str, place: tuple[str | int, ...], errors: Sequence[Any]) -> FieldFault:
    field = ".".join(str(part) for part in (prefix, *place) if part != "")
    words = list(dict.fromkeys(_words(error) for error in errors))
    expected = words[0]
    if len(words) > 1:
        expected = "expected " + " or ".join(word.removeprefix("expected ") for word in words)
    value = None if _is_said(errors) else _shown(field, errors[0])
    meant = nearest(value, CHOICE.findall(expected)) if value and errors[0]["type"] in CHOICES else None
    return FieldFault(field=field, expected=expected, value=value, meant=meant)


def _is_said(errors: Sequence[Any]) -> bool:
    return any(error["type"] in ("missing", "json_invalid", "union_tag_not_found") for error in errors)


def _shown(field: str, error: Any) -> str | None:
    value = error.get("input")
    if error["type"] == "union_tag_invalid" and isinstance(value, Mapping):
        value = error["ctx"]["tag"]
    if not isinstance(value, str | int | float | bool | PurePath) or SECRET.search(field.lower()):
        return None
    return CREDENTIALS.sub("://…@", str(value))[:SHOWN_CHARACTERS].encode("utf-8", "backslashreplace").decode()


def _place(error: Any, document: Any) -> tuple[str | int, ...]:
    location = tuple(error["loc"])
    if error["type"] == "json_invalid":
        return location[:1]  # then where it ends to be JSON, which the words say
    if document is None:
        kept = [part for part in location if not (isinstance(part, str) and UNION_MEMBER.match(part))]
        found = tuple(kept) or location[:1]
    else:
        found = _walked(location, document, error)
    if error["type"].startswith("union_tag_"):  # pydantic names the object whose tag is wrong, or is not there
        found = (*found, error["ctx"]["discriminator"].strip("'"))
    return found


def _walked(location: tuple[str | int, ...], document: Any, error: Any) -> tuple[str | int, ...]:
    """The parts of the place that are in the document: what else pydantic puts there is which member it tried."""
    found: list[str | int] = []
    here, is_missing = document, error["type"] == "missing"
    for place, part in enumerate(location):
        inner = location[place + 1 :]
        if _holds(here, part) and not _is_tag(here, part, inner, is_missing=is_missing):
            here = here[part]
        elif inner or not (is_missing or _is_default(here, error)):
            continue
        found.append(part)
    return tuple(found)


def _is_default(here: Any, error: Any) -> bool:
    """Whether what is wrong is not this object but a field that it lacks, whose default does not do beside the rest."""
    return isinstance(here, dict) and "input" in error and error["input"] != here


def _holds(here: Any, part: str | int) -> bool:
    if isinstance(here, list):
        return isinstance(part, int) and part < len(here)
    return isinstance(here, dict) and part in here


def _is_tag(here: Any, part: str | int, inner: tuple[str | int, ...], *, is_missing: bool) -> bool:
    """A choice's tag that is the name of one of its fields too: what is wrong lies beside that field, not within."""
    if not inner or isinstance(here[part], dict | list):
        return False
    return _holds(here, inner[0]) or (is_missing and len(inner) == 1)


def _words(error: Any) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in SENTENCES:
        return SENTENCES[kind]
    if kind in BOUNDS:
        return BOUNDS[kind](context)
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return re.sub(r"^Input should be (a valid )?", "expected ", message)


def _pattern(context: Mapping[str, Any]) -> str:
    return f"expected {PATTERNS.get(context['pattern'], 'another form')}"


def _one_of(context: Mapping[str, Any]) -> str:
    *others, last = context["expected_tags"].split(", ")
    return f"expected {', '.join(others)} or {last}" if others else f"expected {last}"


def _length(word: str, bound: str, unit: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda context: f"expected {word} {context[bound]} {unit.removesuffix('s') if context[bound] == 1 else unit}"


SENTENCES: Final[Mapping[str, str]] = {
    "missing": "expected a value: it is required",
    "extra_forbidden": "expected no field of this name",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "int_parsing_size": "expected a smaller whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "string_type": "expected a string",
    "string_unicode": "expected a string in UTF-8",
    "dict_type": "expected an object with keys",
    "model_type": "expected an object with keys",
    "model_attributes_type": "expected an object with keys",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "set_type": "expected a list",
    "frozen_set_type": "expected a list",
    "uuid_type": "expected a UUID",
    "uuid_parsing": "expected a UUID",
    "none_required": "expected null",
    "timezone_aware": "expected a time with its zone, such as 2026-11-24T12:00:00Z",
    "datetime_type": "expected a time such as 2026-11-24T12:00:00Z",
    "datetime_parsing": "expected a time such as 2026-11-24T12:00:00Z",
    "datetime_from_date_parsing": "expected a time such as 2026-11-24T12:00:00Z",
}
BOUNDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "greater_than": lambda context: f"expected more than {context['gt']}",
    "greater_than_equal": lambda context: f"expected at least {context['ge']}",
    "less_than": lambda context: f"expected less than {context['lt']}",
    "less_than_equal": lambda context: f"expected at most {context['le']}",
    "string_too_short": _length("at least", "min_length", "characters"),
    "string_too_long": _length("at most", "max_length", "characters"),
    "too_short": _length("at least", "min_length", "items"),
    "too_long": _length("at most", "max_length", "items"),
    "string_pattern_mismatch": _pattern,
    "literal_error": lambda context: f"expected {context['expected']}",
    "enum": lambda context: f"expected {context['expected']}",
    "union_tag_invalid": _one_of,
    "union_tag_not_found": lambda context: SENTENCES["missing"],
    "json_invalid": lambda context: f"expected JSON: {context['error']}",
}
