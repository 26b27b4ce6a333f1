"""The one form of a label: what a CSV file, a JSON document, a Parquet column and a caller's feedback write alike.

`1`, `1.0` and `"1.0"` are one label, so are `true`, `True` and `TRUE`; NaN is none, as a float and as a library writes
it; text is trimmed and in Unicode's NFC. Nothing else is touched: `01`, `3.10`, `+1` and `NA` may be names, and two
labels that differ in case stay two.
"""

import math
import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, StringConstraints

from schemas.faults import kind_of

MAX_LABEL: Final = 200
"""Characters of a label."""
BOOLEANS: Final = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false"}
NOT_A_NUMBER: Final = ("NaN", "nan", "NAN")
MAY_MEAN_NONE: Final = frozenset({"na", "n/a", "#n/a", "<na>", "none", "null", "nil", "nat", "\\n"})
"""Case-folded: how databases and libraries write that there is no value, where it may be a label's name too."""
_WHOLE: Final = re.compile(r"(-?[0-9]+)\.0+")
_EXACT: Final = 10.0**15
"""Below it a float is written without an exponent, and holds every whole number."""

Fault = Literal["nul_character", "undecodable", "label_too_long", "not_a_label"]


class NotALabel(ValueError):
    """A value that can be no label; `fault` names the reason, the message has it in words and quotes nothing."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


def canonical_label(value: object) -> str | None:
    """The label that `value` means; None: there is none (null, NaN, blank).

    Raises NotALabel: for a list, for bytes that are not UTF-8, for text with characters that no database keeps.
    """
    written = _written(value)
    if written is None:
        return None
    text = unicodedata.normalize("NFC", written).strip()
    if "\0" in text:
        raise NotALabel("nul_character", "a label holds a NUL character")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise NotALabel("undecodable", "a label holds bytes that are not text")
    if len(text) > MAX_LABEL:
        raise NotALabel("label_too_long", f"a label has {len(text)} characters, expected at most {MAX_LABEL}")
    return None if text in NOT_A_NUMBER else _as_number(BOOLEANS.get(text, text)) or None


def _written(value: object) -> str | None:
    """As the text of a CSV file would have it."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case bytes():
            return value.decode("utf-8", "surrogateescape")
        case int() | float() | Decimal():
            return _number(value)
        case date() if not isinstance(value, datetime):
            return value.isoformat()
    raise NotALabel("not_a_label", f"a label is text, a number, a boolean or a date, found {kind_of(value)}")


def _number(value: float | Decimal) -> str | None:
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return None
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)


def _as_number(text: str) -> str:
    whole = _WHOLE.fullmatch(text)
    number = whole[1] if whole else text
    return "0" if number == "-0" else number


def _given(value: object) -> str:
    label = canonical_label(value)
    if label is None:
        raise ValueError("expected a label, found none")
    return label


Label = Annotated[str, BeforeValidator(_given), StringConstraints(min_length=1)]
"""A label that somebody wrote: `1`, `1.0` and `"1"` are read alike."""
