"""The event log, the door for other people's events, and dead letters."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from controlplane.client.connection import Document
from controlplane.client.part import Part
from schemas.cloudevent import FeedEvent
from schemas.views.dead_letters import DeadLetterContent, DeadLetterView
from schemas.views.events import FeedPage
from schemas.views.triggers import Receipt


class Events(Part):
    def publish_event(self, event: Document) -> Receipt:
        """A CloudEvent of yours, in structured mode: `specversion`, `id`, `source` and `type` are required."""
        headers = {"Content-Type": "application/cloudevents+json"}
        content = TypeAdapter(Any).dump_json(dict(event))
        return self._api.send(Receipt, "POST", "/v1/events", content=content, headers=headers)

    def read_events(
        self,
        after: int | None = None,
        *,
        types: Sequence[str] = (),
        without: Sequence[str] = (),
        limit: int | None = None,
        wait: float = 0,
    ) -> FeedPage:
        """Facts after a seq, oldest first; without one where the log ends, and with a limit so many before that."""
        params = {
            "after": after,
            "type": list(types) or None,
            "without": list(without) or None,
            "newest" if after is None else "limit": limit,
            "wait": wait,
        }
        return self._api.get(FeedPage, "/v1/events", {k: v for k, v in params.items() if v is not None}, patience=wait)

    def follow_events(self, after: int = 0, *, types: Sequence[str] = ()) -> Iterator[FeedEvent]:
        """Every fact after a seq, and then each one as it happens."""
        while True:
            page = self.read_events(after, types=types, wait=20)
            yield from page.items
            after = page.last

    def list_dead_letters(self, **filters: Any) -> Iterator[DeadLetterView]:
        """Newest first; filters: status."""
        return self._api.pages(DeadLetterView, "/v1/dead-letters", filters)

    def get_dead_letter(self, letter_id: UUID | str) -> DeadLetterContent:
        return self._api.get(DeadLetterContent, f"/v1/dead-letters/{letter_id}")

    def replay_dead_letter(self, letter_id: UUID | str) -> DeadLetterView:
        return self._api.post(DeadLetterView, f"/v1/dead-letters/{letter_id}:replay")

    def discard_dead_letter(self, letter_id: UUID | str) -> DeadLetterView:
        return self._api.post(DeadLetterView, f"/v1/dead-letters/{letter_id}:discard")
