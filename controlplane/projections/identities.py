"""Ids by a beginning that one thing alone has, as people copy them from a table."""

import re
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from controlplane.errors import Invalid, NotFound

BEGINNING = re.compile(r"[0-9a-f]{4}[0-9a-f-]{0,32}")
MOST_CANDIDATES = 5
"""How many of the ids that share an ambiguous beginning are named, at most."""


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def identify(session: Session, row: Any, what: str, text: str, field: str | None = None) -> UUID:
    """The id of a table's row that begins so. A whole id is taken as it is: whoever reads the row says if there is one.

    Raises Invalid with the candidates where several begin so, NotFound where none does: both name `field`.
    """
    field = field or what.replace(" ", "_")
    if whole := as_uuid(text):
        return whole
    digits = text.lower().replace("-", "")
    if not BEGINNING.fullmatch(text.lower()) or len(digits) > 32:
        raise Invalid(
            f"{text!r} is no {what} id: expected 32 hexadecimal digits (0 to 9, a to f), or at least their first 4",
            field=field,
        )
    lowest, highest = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    query = select(row.id).where(col(row.id).between(lowest, highest)).order_by(row.id).limit(MOST_CANDIDATES + 1)
    match [str(found) for found in session.exec(query)]:
        case [only]:
            return UUID(only)
        case []:
            raise NotFound(f"there is no {what} whose id begins with {text!r}", field=field)
        case several:
            named = ", ".join(several[:MOST_CANDIDATES]) + (", …" if len(several) > MOST_CANDIDATES else "")
            raise Invalid(f"{text!r} begins the id of several {what}s: {named}", field=field)
