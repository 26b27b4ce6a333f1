"""Texts of one base that are written together, and how much of them attention may keep in memory."""

from collections.abc import Sequence
from typing import Final

from workers.base.arrays import Logits
from workers.graph.decoder.decoding import Decoding, Reading, Text
from workers.graph.decoder.form import DecoderForm
from workers.graph.decoder.session import DecoderSession
from workers.serve.engines.decode.request import Request

MAX_SEEN_BYTES: Final = 1 << 30
"""Bytes that attention keeps of all texts of a base, each as wide as the longest; a step holds them twice. A base of
135 million parameters keeps 46 kB of a token: 23,000 tokens, or 16 texts of 1,400."""
_ROOM_TO_GROW: Final = 64
"""Tokens that a text has room for when it joins: one that had to make way at once would be read for nothing."""


class Batch:
    """Not thread-safe: the thread that writes has it."""

    def __init__(self, session: DecoderSession) -> None:
        self._decoding = Decoding(session)
        self._requests: dict[Text, Request] = {}
        self._most_tokens = MAX_SEEN_BYTES // bytes_of_a_token(session.form)

    @property
    def requests(self) -> list[Request]:
        """In the order in which `step` answers, which is that in which they joined."""
        return [self._requests[text] for text in self._decoding.texts]

    def step(self) -> Logits:
        return self._decoding.step([request.ids[-1] for request in self.requests])

    def join(self, read: Sequence[tuple[Request, Reading]]) -> None:
        self._decoding.join_read([reading for _, reading in read])
        self._requests |= {reading.text: request for request, reading in read}

    def leave(self, requests: Sequence[Request]) -> None:
        leaving = [text for text, request in self._requests.items() if request in requests]
        if leaving:
            self._decoding.leave(leaving)
        for text in leaving:
            del self._requests[text]

    def has_room(self, joining: Sequence[int]) -> bool:
        """Whether more texts, of so many tokens each, fit into memory; a single one always does."""
        texts = len(self._requests) + len(joining)
        return texts == 1 or self._fits(texts, max(self._width, *joining) + _ROOM_TO_GROW)

    @property
    def overflows(self) -> bool:
        """Whether the next step needs more memory than there is: the last text to join has to make way."""
        return len(self._requests) > 1 and not self._fits(len(self._requests), self._width + 1)

    @property
    def _width(self) -> int:
        return max((text.length for text in self._requests), default=0)

    def _fits(self, texts: int, width: int) -> bool:
        return texts * width <= self._most_tokens


def bytes_of_a_token(form: DecoderForm) -> int:
    """What attention keeps of it: keys and values of every layer, float32."""
    return 2 * form.layers * form.kv_heads * form.head_size * 4
