"""Who may do what: it is the transition that is authorised, not the object."""

from schemas.roles import Role

INCLUDES: dict[Role, frozenset[Role]] = {
    "viewer": frozenset({"viewer"}),
    "auditor": frozenset({"auditor", "viewer"}),
    "operator": frozenset({"operator", "viewer"}),
    "releaser": frozenset({"releaser", "operator", "viewer"}),
    "worker": frozenset({"worker"}),
    "gateway": frozenset({"gateway"}),
    "admin": frozenset({"viewer", "operator", "releaser", "auditor", "worker", "gateway", "admin"}),
}
"""viewer reads; operator runs jobs, pipelines and triggers; releaser moves aliases, deployments and rollouts; auditor
reads attacks' examples and dead letters; worker and gateway are processes; admin does all, and tokens."""


def may(role: Role, needed: Role) -> bool:
    return needed in INCLUDES[role]
