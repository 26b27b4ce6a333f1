"""What a value of a record means as a text, or as a name such as a label or a group; and why it means none."""

from dataclasses import dataclass
from typing import Literal

from schemas.labels import NotALabel, canonical_label
from workers.curate.rows import Reason


@dataclass(frozen=True)
class Fault:
    reason: Reason


def text_in(value: object, empty: Reason) -> str | Fault:
    if value is None:
        return Fault(empty)
    if not isinstance(value, str):
        return Fault("not_text")
    if fault := character_fault(value):
        return Fault(fault)
    return value if value.strip() else Fault(empty)


def name_in(value: object, empty: Reason) -> str | Fault:
    """A label or a group in its one form."""
    try:
        name = canonical_label(value)
    except NotALabel as error:
        return Fault(error.fault)
    return Fault(empty) if name is None else name


def character_fault(value: str) -> Literal["nul_character", "undecodable"] | None:
    """NUL, which databases refuse, and surrogates, which are what is left of bytes that were not UTF-8."""
    if "\0" in value:
        return "nul_character"
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        return "undecodable"
    return None
