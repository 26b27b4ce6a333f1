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
    inbound: list[str] = []
    """Why other people's events are not read, a sentence a partition."""
