"""What an API says of itself."""

from typing import Literal

from schemas.base import View


class Info(View):
    version: str
    schema_version: int
    source: str
    mode: str
    artifacts_url: str


class Readiness(View):
    status: Literal["ready", "degraded"]
    inbound_lag: int = 0
    """Records of other people's events that nobody has read yet, over all partitions."""
    inbound: list[str] = []
    """Why other people's events are not read, a sentence a partition."""
