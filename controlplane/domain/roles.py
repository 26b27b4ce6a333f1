"""Who may do what: it is the transition that is authorised, not the object."""

from schemas.roles import Role

INCLUDES: dict[Role, frozenset[Role]] = {
    "viewer": frozenset({"viewer"}),
    "auditor": frozenset({"auditor", "viewer"}),
    "operator": frozenset({"operator", "viewer"}),
    "releaser": frozenset({"releaser", "operator", "viewer"}),
    "feedback": frozenset({"feedback"}),
    "worker": frozenset({"worker"}),
    "gateway": frozenset({"gateway"}),
    "admin": frozenset({"viewer", "operator", "releaser", "auditor", "feedback", "worker", "gateway", "admin"}),
}
MAY: dict[Role, str] = {
    "viewer": "reads everything but tokens and the content of dead letters",
    "auditor": "reads the content of dead letters and the audit log too; holds rollouts and deployments, and releases "
    "what another person holds",
    "operator": "requests and cancels jobs and runs, changes pipelines and triggers, hands in events, starts, pauses, "
    "resumes and aborts rollouts, replays and discards dead letters",
    "releaser": "moves aliases, changes deployments, waives gates, promotes, rolls back",
    "feedback": "labels answers (`graftwork feedback`), and nothing else: who wants a release is not who says what was "
    "right",
    "worker": "a worker process: claims jobs and reports on them",
    "gateway": "a gateway process: asks for generations, reports and observes",
    "admin": "all of it, and makes and revokes tokens",
}
"""In words, for people: docs/reference.md."""


def may(role: Role, needed: Role) -> bool:
    return needed in INCLUDES[role]


def whoever_may(*needed: Role) -> str:
    """Every role that may act as one of these, in words: `'auditor' or 'admin'`."""
    return " or ".join(repr(role) for role in INCLUDES if any(may(role, one) for one in needed))
