"""Aliases: which names are free, and what a caller must know before it may move one."""

import re
from uuid import UUID

from controlplane.errors import Invalid, PreconditionRequired

ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,39}")
RESERVED = re.compile(r"latest|v?[0-9]+")
ETAG = re.compile(r'"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"')


def check_alias_name(alias: str) -> None:
    """Raises Invalid for a name that could be read as a version, or that is no name."""
    if RESERVED.fullmatch(alias):
        raise Invalid(f"alias {alias!r} is reserved: `latest`, numbers and `v<number>` name versions", field="alias")
    if not ALIAS.fullmatch(alias):
        raise Invalid(
            f"alias {alias!r}: expected a lower-case letter and then at most 39 of a-z, 0-9, `_` and `-`", field="alias"
        )


def etag(history_id: UUID) -> str:
    """The move's id, never the version's: after A, B, A somebody who read the first A must not win."""
    return f'"{history_id}"'


def expected_move(if_match: str | None, if_none_match: str | None) -> UUID | None:
    """The move that the caller says is current; None: it says that the alias is not set.

    Raises PreconditionRequired without either header, and Invalid for one that no answer of ours ever held.
    """
    if if_match is not None and if_none_match is not None:
        raise Invalid("send If-Match or If-None-Match, not both", field="If-Match")
    if if_none_match is not None:
        if if_none_match.strip() != "*":
            raise Invalid(f"If-None-Match {if_none_match[:80]!r}: only `*` is understood here", field="If-None-Match")
        return None
    if if_match is None:
        raise PreconditionRequired(
            "send `If-Match: <the alias's ETag>`, or `If-None-Match: *` to set it for the first time"
        )
    if found := ETAG.fullmatch(if_match.strip()):
        return UUID(found[1])
    raise Invalid(f"If-Match {if_match[:80]!r}: expected one ETag as GET answers it, quotes included", field="If-Match")
