"""The feed and the door of events as the API shows them."""

from schemas.base import View
from schemas.cloudevent import FeedEvent


class FeedPage(View):
    items: list[FeedEvent]
    last: int
    """Pass it as `after` to read on."""
