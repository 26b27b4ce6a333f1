"""The feed and the door of events as the API shows them."""

from pydantic import BaseModel

from schemas.cloudevent import FeedEvent


class FeedPage(BaseModel):
    items: list[FeedEvent]
    last: int
    """Pass it as `after` to read on."""
