"""The nearest name that something has, for one that nothing has."""

from typing import Any, Final

from sqlmodel import Session, select

from schemas.faults import did_you_mean, nearest

MOST_NAMES: Final = 2000
"""Among so many the nearest is looked for."""


def hint(session: Session, name: str, column: Any, *where: Any) -> str:
    """What `NotFound` says behind its detail; `sentiment@champion` is looked for without its alias."""
    word = name.partition("@")[0].partition("/")[0]
    known = session.exec(select(column).where(*where).distinct().limit(MOST_NAMES)).all()
    return "" if word in known else did_you_mean(nearest(word, known))
