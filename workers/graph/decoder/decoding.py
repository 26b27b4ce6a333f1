"""Texts that are written together, a token each at every step: they join and leave between two steps.

Continuous batching (Orca, https://www.usenix.org/conference/osdi22/presentation/yu): a text waits for no other one's
end. Each may be written by another version.
"""

from collections.abc import Sequence

import numpy as np
import onnxruntime as ort

from workers.base.arrays import Floats, Logits
from workers.graph.decoder.reading import Reading, Text, read_together
from workers.graph.decoder.session import DecoderSession, numbers


class Decoding:
    """Not thread-safe: one thread steps."""

    def __init__(self, session: DecoderSession) -> None:
        self._session = session
        self._texts: list[Text] = []
        self._seen: list[ort.OrtValue] = session.no_past(0)

    @property
    def texts(self) -> tuple[Text, ...]:
        """In the order in which `step` takes tokens."""
        return tuple(self._texts)

    def join(self, prompts: Sequence[Sequence[int]], versions: Sequence[str | None]) -> tuple[list[Text], Logits]:
        """Read prompts, each for a version, None for the base; the answer has logits of what comes next in each.

        KeyError: a version is not loaded.
        """
        readings: list[Reading] = []
        try:
            for prompt, version in zip(prompts, versions, strict=True):
                readings.append(Reading(self._session, prompt, version))
            logits = read_together([(reading, reading.remaining) for reading in readings])
            self.join_read(readings)
        except Exception:
            for reading in readings:
                reading.close()
            raise
        return [reading.text for reading in readings], logits

    def join_read(self, readings: Sequence[Reading]) -> None:
        """Texts whose prompts have been read to their end; where this raises, none has joined."""
        joined = [reading.text for reading in readings]
        self._rebuild(self._texts, [*self._texts, *joined], [reading.seen for reading in readings])

    def leave(self, texts: Sequence[Text]) -> None:
        """They are written to their end, or given up."""
        staying = [text for text in self._texts if text not in texts]
        self._rebuild(staying, staying)
        for text in texts:
            self._session.tables.give_back(text.slot)

    def split(self, texts: Sequence[Text]) -> "Decoding":
        """These leave for a batch of their own, which they go on in."""
        part, staying = Decoding(self._session), [text for text in self._texts if text not in texts]
        part._seen, part._texts = self._seen, self._texts
        part._rebuild(texts, list(texts))
        self._rebuild(staying, staying)
        return part

    def merge(self, other: "Decoding") -> None:
        """The texts of another batch, which is empty then, join behind those of this one."""
        self._rebuild(self._texts, [*self._texts, *other._texts], [other._seen])
        other._rebuild([], [])

    def step(self, tokens: Sequence[int]) -> Logits:
        """One more token of each text; the answer has logits of what comes next in each.

        JobError: the graph cannot; every text is as it was.
        """
        count = len(self._texts)
        if len(tokens) != count:
            raise ValueError(f"{len(tokens)} tokens for {count} texts")
        width = max(text.length for text in self._texts)
        if width >= self._session.form.context_length:
            raise ValueError(f"a text has {width} tokens, all that this base takes")
        seen = self._seen[0].shape()[2]
        mask = np.zeros((count, seen + 1), np.int64)
        for row, text in enumerate(self._texts):
            mask[row, : text.length + 1] = 1
        places = np.stack([np.arange(count), np.zeros(count)], axis=1).astype(np.int64)
        ids = np.asarray(tokens, np.int64).reshape(count, 1)
        logits, self._seen = self._session.run(ids, mask, [text.slot for text in self._texts], places, self._seen)
        for text in self._texts:
            text.length += 1
        return logits

    def close(self) -> None:
        """Every text is given up."""
        self.leave(self._texts)

    def _rebuild(self, kept: Sequence[Text], texts: list[Text], joining: Sequence[Sequence[ort.OrtValue]] = ()) -> None:
        """What attention has seen of the texts that are kept, and of those that join behind them."""
        rows = [self._texts.index(text) for text in kept]
        width = max((text.length for text in texts), default=0)
        merged = []
        for number, value in enumerate(self._seen):
            blocks = [numbers(value)[rows], *(numbers(of_some[number]) for of_some in joining)]
            merged.append(ort.OrtValue.ortvalue_from_numpy(_stacked(blocks, width)))
        self._seen, self._texts = merged, list(texts)


def _stacked(blocks: Sequence[Floats], width: int) -> Floats:
    """Texts of several batches as one of `width` tokens."""
    _, heads, _, size = blocks[0].shape
    stacked, first = np.zeros((sum(map(len, blocks)), heads, width, size), np.float32), 0
    for block in blocks:
        seen = block[:, :, :width]
        stacked[first : first + len(block), :, : seen.shape[2]] = seen
        first += len(block)
    return stacked
