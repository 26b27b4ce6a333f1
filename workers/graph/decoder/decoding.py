"""Texts that are written together, a token each at every step: they join and leave between two steps.

Continuous batching (Orca, https://www.usenix.org/conference/osdi22/presentation/yu): a text waits for no other one's
end. Each may be written by another version.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort

from workers.base.arrays import Floats, Logits
from workers.graph.decoder.session import DecoderSession, Ids, numbers
from workers.runtime.errors import JobError


@dataclass(eq=False)
class Text:
    """One text of a batch."""

    slot: int
    length: int
    """Tokens that attention has seen."""


class Reading:
    """A prompt that is read part by part, so that texts under way go on between the parts.

    One prompt alone: the graph takes several tokens behind others for a single row only.
    """

    def __init__(self, session: DecoderSession, prompt: Sequence[int], version: str | None) -> None:
        """None: the base. KeyError: the version is not loaded."""
        check_prompt(session, prompt)
        self._session, self._prompt = session, tuple(prompt)
        self.seen = session.no_past(1)
        """What attention has seen."""
        self.text = Text(session.tables.take(version), 0)

    @property
    def remaining(self) -> int:
        """Tokens that are not read yet."""
        return len(self._prompt) - self.text.length

    def read(self, most: int) -> Logits:
        """So many more tokens at most; logits of what comes next, once nothing remains."""
        part = self._prompt[self.text.length : self.text.length + most]
        read = self.text.length + len(part)
        ids, mask, places = np.array([part], np.int64), np.ones((1, read), np.int64), np.array([[0, len(part) - 1]])
        logits, self.seen = self._session.run(ids, mask, [self.text.slot], places, self.seen)
        self.text.length = read
        last: Logits = logits[0]
        return last

    def close(self) -> None:
        """It is given up before its text joined others."""
        self._session.tables.give_back(self.text.slot)


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
        for prompt in prompts:
            check_prompt(self._session, prompt)
        slots = _all_or_none(self._session, versions)
        ids, mask = padded(prompts)
        places = np.array([[row, len(prompt) - 1] for row, prompt in enumerate(prompts)], np.int64)
        try:
            logits, present = self._session.run(ids, mask, slots, places, self._session.no_past(len(prompts)))
        except JobError:
            for slot in slots:
                self._session.tables.give_back(slot)
            raise
        joined = [Text(slot, len(prompt)) for slot, prompt in zip(slots, prompts, strict=True)]
        self._rebuild(self._texts, [*self._texts, *joined], [present])
        return joined, logits

    def join_read(self, readings: Sequence[Reading]) -> None:
        """Texts whose prompts have been read to their end."""
        joined = [reading.text for reading in readings]
        self._rebuild(self._texts, [*self._texts, *joined], [reading.seen for reading in readings])

    def leave(self, texts: Sequence[Text]) -> None:
        """They are written to their end, or given up."""
        staying = [text for text in self._texts if text not in texts]
        self._rebuild(staying, staying)
        for text in texts:
            self._session.tables.give_back(text.slot)

    def step(self, tokens: Sequence[int]) -> Logits:
        """One more token of each text; the answer has logits of what comes next in each."""
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
        parts = [[numbers(value)[rows] for value in self._seen]] if kept else []
        parts += [[numbers(value) for value in of_some] for of_some in joining]
        merged = [np.concatenate([_of_width(one, width) for one in of_one]) for of_one in zip(*parts, strict=True)]
        self._seen = [ort.OrtValue.ortvalue_from_numpy(one) for one in merged] or self._session.no_past(0)
        self._texts = list(texts)


def check_prompt(session: DecoderSession, prompt: Sequence[int]) -> None:
    most = session.form.context_length
    if not 0 < len(prompt) <= most:
        raise JobError(f"a prompt has {len(prompt)} tokens, expected 1 to {most}, which this base takes")


def padded(rows: Sequence[Sequence[int]]) -> tuple[Ids, Ids]:
    """Ids and mask: whatever stands behind a row's end is not looked at."""
    width = max(len(row) for row in rows)
    ids, mask = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width), np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return ids, mask


def _of_width(seen: Floats, width: int) -> Floats:
    cut = seen[:, :, :width]
    return np.pad(cut, ((0, 0), (0, 0), (0, width - cut.shape[2]), (0, 0)))


def _all_or_none(session: DecoderSession, versions: Sequence[str | None]) -> list[int]:
    taken: list[int] = []
    try:
        for version in versions:
            taken.append(session.tables.take(version))
    except KeyError:
        for slot in taken:
            session.tables.give_back(slot)
        raise
    return taken
