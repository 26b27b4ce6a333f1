"""Holds as people ask for them and as the API shows them."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from schemas.base import Strict, View


class HoldRequest(Strict):
    """Let nothing gain ground until somebody else lets it go on."""

    reason: str = Field(min_length=1, max_length=500)
    """Why; kept for good."""


class HoldReleaseRequest(Strict):
    """Let go on what somebody else holds."""

    reason: str = Field(min_length=1, max_length=500)
    """Why; kept for good."""
    hold: UUID | None = None
    """Which one; null: the only one that stands."""


class HoldView(View):
    """While it stands, no rollout of the version is promoted there or gets more weight."""

    id: UUID
    deployment: str
    rollout_id: UUID | None
    """Which it was placed on; null: on the whole deployment."""
    model_version_id: UUID | None
    """What it holds, in any rollout to the deployment; null: every version."""
    reason: str
    actor: str
    at: datetime
