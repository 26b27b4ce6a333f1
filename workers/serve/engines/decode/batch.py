"""Texts of one base that are written together, and how much of them attention may keep in memory."""

from collections.abc import Sequence
from typing import Final

from workers.base.arrays import Logits
from workers.graph.decoder.decoding import Decoding
from workers.graph.decoder.form import DecoderForm
from workers.graph.decoder.reading import Reading, Text
from workers.graph.decoder.session import DecoderSession
from workers.runtime.errors import JobError
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
        """In the order in which they joined."""
        return self._requests_of(self._decoding)

    def step(self) -> list[tuple[Request, Logits]]:
        """Each text's logits of its next token. JobError: the graph cannot, and `step_apart` may tell with whom."""
        return self._step(self._decoding)

    def step_apart(self) -> tuple[list[tuple[Request, Logits]], list[Request]]:
        """As `step`, each version's texts by themselves; the others are those with which the graph cannot even so."""
        stepped: list[tuple[Request, Logits]] = []
        broken: list[Request] = []
        for version in dict.fromkeys(request.version for request in self.requests):
            of_one = [text for text, request in self._requests.items() if request.version == version]
            part = self._decoding.split(of_one)
            try:
                stepped += self._step(part)
            except JobError:
                broken += self._requests_of(part)
            self._decoding.merge(part)
        return stepped, broken

    def join(self, read: Sequence[tuple[Request, Reading]]) -> None:
        """Where this raises, none has joined, and whoever read them still has to close them."""
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

    def _step(self, decoding: Decoding) -> list[tuple[Request, Logits]]:
        requests = self._requests_of(decoding)
        return list(zip(requests, decoding.step([request.ids[-1] for request in requests]), strict=True))

    def _requests_of(self, decoding: Decoding) -> list[Request]:
        return [self._requests[text] for text in decoding.texts]

    @property
    def _width(self) -> int:
        return max((text.length for text in self._requests), default=0)

    def _fits(self, texts: int, width: int) -> bool:
        return texts * width <= self._most_tokens


def bytes_of_a_token(form: DecoderForm) -> int:
    """What attention keeps of it: keys and values of every layer, float32."""
    return 2 * form.layers * form.kv_heads * form.head_size * 4
