"""What keeps a rollout where it is, each in words that end with the verb that ends it."""

from typing import Final
from uuid import UUID

SHORT_ID: Final = 8
"""Characters of an id where the whole has no place: every verb takes a beginning that one thing alone has."""
REASON: Final = '--reason "…"'


def frozen(deployment: str, reason: str | None) -> str:
    """A rollback froze the queue."""
    why = f" ({reason})" if reason else ""
    return f"deployment {deployment} is frozen{why}: graftwork deployment resume {deployment}"


def in_front(rollout: UUID, version: str, phase: str, queued: int) -> str:
    """One rollout at a time is under way."""
    others = f", and {queued} queued before this one" if queued else ""
    return (
        f"rollout {_short(rollout)} of {version} is in front ({phase}){others}: "
        f"graftwork rollout get {_short(rollout)} -w, or promote or abort it"
    )


def paused(rollout: UUID, verdict: str | None) -> str:
    """By a person, or because evidence stopped it, which no `resume` undoes."""
    if verdict is None:
        return f"it is paused: graftwork rollout resume {_short(rollout)} {REASON}"
    also = ", or promote" if verdict == "INCONCLUSIVE" else ""
    return f"it stands, because it is {verdict}: graftwork rollout abort {_short(rollout)} {REASON}{also}"


def held(noun: str, name: str | UUID, actor: str, reason: str) -> str:
    """`noun`: deployment or rollout."""
    of = _short(name) if isinstance(name, UUID) else name
    return (
        f"{noun} {of} is held by {actor} ({reason}): "
        f"another auditor or admin: graftwork {noun} release-hold {of} {REASON}"
    )


def no_gateway(deployment: str) -> str:
    return f"no gateway of {deployment} is live: graftwork up, or graftwork serve --deployment {deployment}"


def _short(identity: UUID) -> str:
    return str(identity)[:SHORT_ID]
