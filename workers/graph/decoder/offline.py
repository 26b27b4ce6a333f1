"""Whole jobs on a decoder graph, without a scheduler: greedy answers, and how likely given ones are."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from workers.base.arrays import Logits
from workers.graph.decoder.decoding import Decoding
from workers.graph.decoder.reading import Text, padded
from workers.graph.decoder.session import DecoderSession

MAX_TEXTS: Final = 16
"""Texts that are written or read together."""


class Example(Protocol):
    """A row as `workers.tasks.text_generation.examples` makes it."""

    @property
    def ids(self) -> Sequence[int]: ...
    @property
    def learnt(self) -> Sequence[bool]: ...


@dataclass(frozen=True)
class Foretold:
    """What a version says of the learnt tokens of an example, given all before each."""

    log_likelihoods: list[float]
    """Each token's log-probability. Unit: nats."""
    is_greedy: bool
    """Whether each of them is the most probable one: it would have written the same."""


class OfflineDecoder:
    """Answers by the versions that its session has loaded; None: by the base."""

    def __init__(self, session: DecoderSession) -> None:
        self._session = session

    @property
    def context_length(self) -> int:
        """Tokens that a text may have, prompt and answer together."""
        return self._session.form.context_length

    def generate(
        self, prompts: Sequence[Sequence[int]], version: str | None, max_new_tokens: int, stop_ids: Sequence[int]
    ) -> list[list[int]]:
        """The greedy answer to each prompt, up to the first of `stop_ids` and without it. KeyError: not loaded."""
        return _Generation(self._session, version, max_new_tokens, stop_ids).of(prompts)

    def log_likelihoods(self, examples: Sequence[Example], version: str | None) -> list[list[float]]:
        """For each example the log-probability of each of its learnt tokens, given all before it. Unit: nats."""
        return [one.log_likelihoods for one in self.foretell(examples, version)]

    def foretell(self, examples: Sequence[Example], version: str | None) -> list[Foretold]:
        """Examples in their order. KeyError: not loaded."""
        found: dict[int, Foretold] = {}
        order = sorted(range(len(examples)), key=lambda number: len(examples[number].ids))
        for begin in range(0, len(order), MAX_TEXTS):
            batch = order[begin : begin + MAX_TEXTS]
            found |= zip(batch, self._read_together([examples[number] for number in batch], version), strict=True)
        return [found[number] for number in range(len(examples))]

    def _read_together(self, examples: Sequence[Example], version: str | None) -> list[Foretold]:
        ids, mask = padded([example.ids for example in examples])
        columns = [[column for column, learnt in enumerate(one.learnt) if learnt and column] for one in examples]
        learnt = [(row, column) for row, of_row in enumerate(columns) for column in of_row]
        foretelling = np.array([(row, column - 1) for row, column in learnt], np.int64).reshape(-1, 2)
        slot = self._session.tables.take(version)
        try:
            past = self._session.no_past(len(examples))
            logits, _ = self._session.run(ids, mask, [slot] * len(examples), foretelling, past)
        finally:
            self._session.tables.give_back(slot)
        tokens = [int(ids[row, column]) for row, column in learnt]
        each = iter(zip(_log_likelihoods(logits, tokens), logits.argmax(axis=1) == tokens, strict=True))
        return [_foretold([next(each) for _ in of_row]) for of_row in columns]


class _Generation:
    """Texts of one version, as many at once as fit."""

    def __init__(
        self, session: DecoderSession, version: str | None, max_new_tokens: int, stop_ids: Sequence[int]
    ) -> None:
        self._version, self._most, self._stop_ids = version, max_new_tokens, frozenset(stop_ids)
        self._longest = session.form.context_length
        self._decoding = Decoding(session)
        self._answers: dict[Text, list[int]] = {}

    def of(self, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        waiting = deque(prompts)
        texts: list[Text] = []
        try:
            while waiting or self._decoding.texts:
                self._step()
                texts += self._begin([waiting.popleft() for _ in range(min(len(waiting), self._room))])
        finally:
            self._decoding.close()
        return [self._answers[text] for text in texts]

    @property
    def _room(self) -> int:
        return MAX_TEXTS - len(self._decoding.texts)

    def _begin(self, prompts: Sequence[Sequence[int]]) -> Sequence[Text]:
        if not prompts:
            return ()
        texts, logits = self._decoding.join(prompts, [self._version] * len(prompts))
        self._answers |= {text: [] for text in texts}
        self._write(texts, logits)
        return texts

    def _step(self) -> None:
        texts = self._decoding.texts
        if texts:
            self._write(texts, self._decoding.step([self._answers[text][-1] for text in texts]))

    def _write(self, texts: Iterable[Text], logits: Logits) -> None:
        """The next token of each text, and the end of those that have theirs."""
        ended = []
        for text, token in zip(texts, logits.argmax(axis=1).tolist(), strict=True):
            answer = self._answers[text]
            if token in self._stop_ids or self._most == 0:
                ended.append(text)
                continue
            answer.append(token)
            if len(answer) == self._most or text.length == self._longest:
                ended.append(text)
        if ended:
            self._decoding.leave(ended)


def _foretold(tokens: Sequence[tuple[float, bool]]) -> Foretold:
    return Foretold([log for log, _ in tokens], all(greedy for _, greedy in tokens))


def _log_likelihoods(logits: Logits, tokens: Sequence[int]) -> list[float]:
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    found: list[float] = (wide[np.arange(len(tokens)), tokens] - np.log(np.exp(wide).sum(axis=1))).tolist()
    return found
