"""Rows of text generation as token ids: what is read, what is learnt of it, and what is asked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.model.tasks import TextGeneration
from workers.base.chat import read_chat_template, read_end_of_text
from workers.base.tokenizer import TextTokenizer
from workers.data.rows import Message, PromptCompletion, Row
from workers.runtime.errors import JobError
from workers.tasks.text_generation.prompts import Prompts, messages_of


@dataclass(frozen=True)
class Example:
    """The tokens of a row, and for each whether it is a completion's."""

    ids: list[int]
    learnt: list[bool]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Cut:
    """What `max_length` leaves of a row."""

    example: Example
    left_out: int
    """Completions that it would have cut: none of their tokens is learnt, for their end would be a wrong one."""


class Format(Prompts):
    """How a base writes rows: prompts, completions and their ends."""

    def __init__(self, folder: Path) -> None:
        """`folder`: of the base, whose weights are not read."""
        super().__init__(TextTokenizer(folder / "tokenizer.json", max_length=None), read_chat_template(folder))
        self._end, self.stop_token_ids = read_end_of_text(folder)

    def task(self) -> TextGeneration:
        return TextGeneration(
            chat_template_digest=self.template.digest if self.template else None, stop_token_ids=self.stop_token_ids
        )

    def example(self, row: Row) -> Example:
        """The whole row: prompts that are read only, and completions, each with the token that ends it."""
        ids: list[int] = []
        learnt: list[bool] = []
        for tokens, said in self._pieces(row):
            ids += tokens
            learnt += [place < said for place in range(len(tokens))]
        return Example(ids, learnt)

    def cut(self, row: Row, max_length: int) -> Cut:
        """The row up to `max_length`."""
        whole = self.example(row)
        learnt, left_out = list(whole.learnt[:max_length]), 0
        for start, end in _completions(whole.learnt):
            if end > max_length:
                learnt[start:] = [False] * len(learnt[start:])
                left_out += 1
        return Cut(Example(whole.ids[:max_length], learnt), left_out)

    def last_completion(self, row: Row) -> Example:
        """The row with its last completion to be foretold, with the token that ends it, and nothing else."""
        whole = self.example(row)
        start, end = list(_completions(whole.learnt))[-1]
        return Example(whole.ids[:end], [start <= place for place in range(end)])

    def _pieces(self, row: Row) -> Iterator[tuple[list[int], int]]:
        """Token ids, and how many of them from the first are learnt."""
        if isinstance(row, PromptCompletion):
            completion = [*self.tokenizer.encode([row.completion], special=False)[0], self._end]
            yield self.of_text(row.prompt), 0
            yield completion, len(completion)
        else:
            for text, is_said in self._turns(messages_of(row)):
                ids = self.tokenizer.encode([text], special=False)[0]
                yield ids, self._until_its_end(ids) if is_said else 0

    def _turns(self, messages: Sequence[Message]) -> Iterator[tuple[str, bool]]:
        """What stands before each of the assistant's turns, and the turn: apart, as a served prompt is."""
        done = ""
        for number, message in enumerate(messages):
            if message["role"] == "assistant":
                asked = self.conversation(messages[:number], asks=True)
                answered = self.conversation(messages[: number + 1], asks=False)
                if not (asked.startswith(done) and answered.startswith(asked)):
                    raise JobError(
                        "the base's chat template writes a conversation anew with every turn; "
                        "expected one that goes on where it ended"
                    )
                yield asked[len(done) :], False
                yield answered[len(asked) :], True
                done = answered

    def _until_its_end(self, ids: Sequence[int]) -> int:
        """A turn with the token that ends it; what a template writes behind is nobody's answer."""
        return next((place + 1 for place, token in enumerate(ids) if token in self.stop_token_ids), len(ids))


def answer_of(row: Row) -> str:
    """The completion with which an answer to the row is compared."""
    return row.completion if isinstance(row, PromptCompletion) else messages_of(row)[-1]["content"]


def _completions(learnt: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where each run of learnt tokens begins and ends."""
    start = None
    for place, is_learnt in enumerate([*learnt, False]):
        if is_learnt and start is None:
            start = place
        elif not is_learnt and start is not None:
            yield start, place
            start = None
