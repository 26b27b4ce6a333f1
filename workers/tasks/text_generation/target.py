"""A generator under attack: the less it takes its own first answer for granted, the nearer it is to a wrong one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from schemas.jobs.attack import AnswerCheck, AttackSpec
from schemas.model.identity import ModelIdentity
from workers.base.chat import open_chat_template
from workers.base.tokenizer import TextTokenizer
from workers.data.rows import Row
from workers.graph.decoder.offline import Foretold, OfflineDecoder
from workers.graph.decoder.session import DecoderSession
from workers.graph.files import GraphFiles
from workers.runtime.errors import JobError
from workers.tasks.target import Operator, Reply
from workers.tasks.text_generation.examples import Example, answer_of
from workers.tasks.text_generation.prompts import Prompts, check_lengths
from workers.tasks.text_generation.scores import CHECKS, is_json
from workers.tasks.text_generation.users_text import UsersText, has_users_text

_VERSION: Final = "attacked"


class Decoder(Protocol):
    """What writes and reads: an `OfflineDecoder`."""

    @property
    def context_length(self) -> int: ...

    def generate(
        self, prompts: Sequence[Sequence[int]], version: str, max_new_tokens: int, stop_ids: Sequence[int]
    ) -> Sequence[list[int]]: ...

    def foretell(self, examples: Sequence[Example], version: str) -> Sequence[Foretold]: ...


def check(rows: Sequence[Row], spec: AttackSpec, where: str) -> None:
    if count := sum(not has_users_text(row) for row in rows):
        raise JobError(f"{where} has {count} conversations without a user's message: expected one before the answer")
    is_of_json = spec.answer is not None and spec.answer.metric == "valid_json"
    if is_of_json and (count := sum(not is_json(answer_of(row)) for row in rows)):
        raise JobError(
            f"{where} has {count} completions that are no JSON, and answer.metric is valid_json: expected JSON in all "
            "of them, or exact_match"
        )


def is_answerable(row: Row, identity: ModelIdentity) -> bool:
    return True


def open_target(graph: GraphFiles, identity: ModelIdentity, spec: AttackSpec) -> "GeneratorTarget":
    assert spec.answer is not None
    session = DecoderSession(graph.base_graph)
    session.load(_VERSION, graph.adapter)
    template = open_chat_template(graph.chat_template) if graph.chat_template else None
    prompts = Prompts(TextTokenizer(graph.tokenizer, max_length=None), template)
    return GeneratorTarget(OfflineDecoder(session), prompts, identity.generation.stop_token_ids, spec.answer)


@dataclass(frozen=True)
class GeneratorQuestion:
    target: "GeneratorTarget"
    row: Row
    users_text: UsersText
    text: str
    expected: str
    written: Sequence[int]
    """The tokens of its first answer, with the one that ended it."""
    original: Reply
    tail: str = ""

    def ask(self, texts: Sequence[str]) -> list[Reply]:
        return self.target.ask(self, [self.users_text.put(self.row, text) for text in texts])


class GeneratorTarget:
    """A text is read with the first answer behind it, all texts in one batch; it is damaged by as much as that answer
    has become unlikely, 1 minus the mean probability of its tokens (the geometric mean, so that long answers compare).

    Where each of these tokens is still the most probable one the greedy answer is the first one still. Only the other
    texts are answered; one whose answer is wrong is damaged more than any whose answer is not.
    """

    def __init__(self, decoder: Decoder, prompts: Prompts, stop_ids: Sequence[int], answer: AnswerCheck) -> None:
        self._decoder, self._prompts, self._stop_ids, self._answer = decoder, prompts, stop_ids, answer

    def questions(self, rows: Sequence[Row], operators: Sequence[Operator]) -> list[GeneratorQuestion]:
        prompts = [self._prompts.question(row) for row in rows]
        check_lengths(prompts, self._decoder.context_length)
        answers, users_text = self._generate(prompts), UsersText(operators)
        found = []
        for row, ids, (written, foretold) in zip(rows, answers, self._ends(prompts, answers), strict=True):
            text, expected = users_text.of(row), answer_of(row)
            original = self._reply(self._prompts.tokenizer.decode(ids), expected, foretold)
            found.append(GeneratorQuestion(self, row, users_text, text, expected, written, original))
        return found

    def ask(self, question: GeneratorQuestion, rows: Sequence[Row]) -> list[Reply]:
        prompts = [self._prompts.question(row) for row in rows]
        room = self._decoder.context_length - len(question.written)
        read = [number for number, prompt in enumerate(prompts) if len(prompt) <= room]
        foretold = self._foretell([(prompts[number], question.written) for number in read])
        changed = [number for number, one in zip(read, foretold, strict=True) if not one.is_greedy]
        answers = dict.fromkeys(range(len(rows)), question.original.answer)
        for number, ids in zip(changed, self._generate([prompts[number] for number in changed]), strict=True):
            answers[number] = self._prompts.tokenizer.decode(ids)
        # What the context has no room for is refused where it is served: that is no wrong answer.
        replies = [Reply(question.original.answer, question.original.is_right, damage=0.0)] * len(rows)
        for number, one in zip(read, foretold, strict=True):
            replies[number] = self._reply(answers[number], question.expected, one)
        return replies

    def _ends(self, prompts: Sequence[list[int]], answers: Sequence[list[int]]) -> list[tuple[list[int], Foretold]]:
        """Each answer with the token that ended it, which is the likeliest that may end one, and how likely it is."""
        options = [self._ended(*one) for one in zip(prompts, answers, strict=True)]
        asked = [(prompt, option) for prompt, of_one in zip(prompts, options, strict=True) for option in of_one]
        foretold = iter(self._foretell(asked))
        return [
            max(((option, next(foretold)) for option in of_one), key=lambda one: sum(one[1].log_likelihoods))
            for of_one in options
        ]

    def _ended(self, prompt: list[int], answer: list[int]) -> list[list[int]]:
        """It may have ended for lack of room, too."""
        is_cut = len(answer) == self._answer.max_new_tokens or len(prompt) + len(answer) >= self._decoder.context_length
        return [answer] if is_cut else [[*answer, stop] for stop in self._stop_ids]

    def _generate(self, prompts: Sequence[list[int]]) -> Sequence[list[int]]:
        return self._decoder.generate(prompts, _VERSION, self._answer.max_new_tokens, self._stop_ids)

    def _foretell(self, asked: Sequence[tuple[list[int], Sequence[int]]]) -> Sequence[Foretold]:
        examples = [
            Example([*prompt, *written], [False] * len(prompt) + [True] * len(written)) for prompt, written in asked
        ]
        return self._decoder.foretell(examples, _VERSION)

    def _reply(self, answer: str, expected: str, foretold: Foretold) -> Reply:
        is_right = CHECKS[self._answer.metric](answer, expected)
        logs = foretold.log_likelihoods
        return Reply(answer, is_right, damage=(not is_right) + 1 - math.exp(sum(logs) / max(1, len(logs))))
