"""Prompts that are read part by part, several of them at once, before their texts are written."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort

from workers.base.arrays import Logits
from workers.graph.decoder.session import DecoderSession, Ids, numbers
from workers.runtime.errors import JobError


@dataclass(eq=False)
class Text:
    """One text of a batch."""

    slot: int
    length: int
    """Tokens that attention has seen."""


class Reading:
    """One prompt. Texts under way go on between its parts."""

    def __init__(self, session: DecoderSession, prompt: Sequence[int], version: str | None) -> None:
        """None: the base. KeyError: the version is not loaded."""
        most = session.form.context_length
        if not 0 < len(prompt) <= most:
            raise JobError(f"a prompt has {len(prompt)} tokens, expected 1 to {most}, which this base takes")
        self.session, self._prompt = session, tuple(prompt)
        self.seen: Sequence[ort.OrtValue] = ()
        """What attention has seen, once a part is read."""
        self.text = Text(session.tables.take(version), 0)

    @property
    def remaining(self) -> int:
        """Tokens that are not read yet."""
        return len(self._prompt) - self.text.length

    @property
    def begun(self) -> bool:
        """Whether a part is read: the next one is then read alone, see `read_together`."""
        return self.text.length > 0

    def next_part(self, tokens: int) -> tuple[int, ...]:
        return self._prompt[self.text.length : self.text.length + tokens]

    def close(self) -> None:
        """It is given up before its text joined others."""
        self.session.tables.give_back(self.text.slot)


def read_together(parts: Sequence[tuple[Reading, int]]) -> Logits:
    """So many more tokens of each prompt, in one run; the answer has logits of what comes next in each.

    A prompt of which a part has been read is read alone: the graph takes several tokens behind others for a single row
    only. JobError: the graph cannot; every prompt is as it was.
    """
    readings = [reading for reading, _ in parts]
    session, read = readings[0].session, readings[0].text.length
    if len(readings) > 1 and any(reading.begun for reading in readings):
        raise ValueError(f"{len(readings)} prompts at once, expected one alone where a part has been read")
    ids, mask = padded([reading.next_part(tokens) for reading, tokens in parts])
    lengths = [int(length) for length in mask.sum(axis=1)]
    places = np.array([[row, length - 1] for row, length in enumerate(lengths)], np.int64)
    mask = np.pad(mask, ((0, 0), (read, 0)), constant_values=1)
    past = readings[0].seen or session.no_past(len(readings))
    logits, present = session.run(ids, mask, [reading.text.slot for reading in readings], places, past)
    for row, (reading, length) in enumerate(zip(readings, lengths, strict=True)):
        reading.text.length += length
        reading.seen = present if len(readings) == 1 else _of_row(present, row, length)
    return logits


def padded(rows: Sequence[Sequence[int]]) -> tuple[Ids, Ids]:
    """Ids and mask: whatever stands behind a row's end is not looked at."""
    width = max(len(row) for row in rows)
    ids, mask = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width), np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return ids, mask


def _of_row(present: Sequence[ort.OrtValue], row: int, length: int) -> list[ort.OrtValue]:
    arrays = [np.ascontiguousarray(numbers(value)[row : row + 1, :, :length]) for value in present]
    return [ort.OrtValue.ortvalue_from_numpy(array) for array in arrays]
