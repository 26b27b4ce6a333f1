"""Revisions of deployments, pipelines and triggers as the API shows them."""

from datetime import datetime

from pydantic import JsonValue

from schemas.base import View
from schemas.views.audit import Change


class RevisionView(View):
    """What somebody applied, where it changed something."""

    revision: int
    """Counted from 1; a trigger that was deleted and made again counts on."""
    actor: str
    at: datetime
    reason: str | None
    """As whoever applied it gave it."""
    changes: dict[str, Change]
    """From the revision before, by field, as `policy.canary.harm_alpha`."""
    spec: dict[str, JsonValue] | None
    """Whole, as it was applied; null: it was deleted."""
