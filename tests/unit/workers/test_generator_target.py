"""What an attack may change of a generator's rows, and how it is told how far a change has come."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.jobs.attack import AnswerCheck
from tests.support.builders.decoders import END, VOCABULARY
from workers.base.chat import read_chat_template
from workers.base.tokenizer import TextTokenizer
from workers.data.rows import Messages, PromptCompletion, Row
from workers.graph.decoder.offline import Foretold
from workers.runtime.errors import JobError
from workers.tasks.target import Question, Reply
from workers.tasks.text_generation.examples import Example
from workers.tasks.text_generation.prompts import Prompts
from workers.tasks.text_generation.target import GeneratorTarget
from workers.tasks.text_generation.users_text import UsersText, has_users_text

WORDS: Final = {number: word for word, number in VOCABULARY.items()}
STOPS: Final = (VOCABULARY["<pad>"], VOCABULARY[END])
CONTEXT: Final = 24
EXACT: Final = AnswerCheck(metric="exact_match", max_new_tokens=4)


class Scripted:
    """A decoder that answers a text as a function says, and doubts its answers as another one says."""

    context_length = CONTEXT

    def __init__(self, answer: Callable[[str], str], doubt: Callable[[str], float] = lambda text: 0.5) -> None:
        self._answer, self._doubt = answer, doubt
        self.answered: list[str] = []
        self.read: list[str] = []

    def generate(
        self, prompts: Sequence[Sequence[int]], version: str, max_new_tokens: int, stop_ids: Sequence[int]
    ) -> list[list[int]]:
        assert tuple(stop_ids) == STOPS
        texts = [" ".join(WORDS[token] for token in prompt) for prompt in prompts]
        self.answered += texts
        return [self._ids(text)[:max_new_tokens] for text in texts]

    def foretell(self, examples: Sequence[Example], version: str) -> list[Foretold]:
        return [self._foretold(example) for example in examples]

    def _foretold(self, example: Example) -> Foretold:
        written = [token for token, learnt in zip(example.ids, example.learnt, strict=True) if learnt]
        text = " ".join(WORDS[token] for token in example.ids[: -len(written)])
        self.read.append(text)
        own = [*self._ids(text), VOCABULARY[END]][: len(written)]
        surprise = 0.0 if written == own else 1.0
        return Foretold([-self._doubt(text) - surprise] * len(written), written == own)

    def _ids(self, text: str) -> list[int]:
        return [VOCABULARY[word] for word in self._answer(text).split()]


@pytest.fixture(scope="module")
def prompts(tiny_decoder: Path) -> Prompts:
    return Prompts(TextTokenizer(tiny_decoder / "tokenizer.json", None), read_chat_template(tiny_decoder))


def question(prompts: Prompts, decoder: Scripted, row: Row, answer: AnswerCheck = EXACT) -> Question:
    [found] = GeneratorTarget(decoder, prompts, STOPS, answer).questions([row], ())
    return found


def by_superb(text: str) -> str:
    return "film good" if "superb" in text else "film bad"


def test_an_answer_that_breaks_is_more_damage_than_any_doubt(prompts: Prompts) -> None:
    decoder = Scripted(by_superb, doubt=lambda text: 9.0 if "dull" in text else 0.1)
    asked = question(prompts, decoder, PromptCompletion("superb film", "film good"))
    assert (asked.text, asked.tail, asked.expected) == ("superb film", "", "film good")
    assert asked.original == Reply("film good", True, pytest.approx(1 - 2.718281828**-0.1))
    doubtful, broken, same = asked.ask(["superb dull", "suprb film", "superb film film"])
    assert (doubtful.answer, doubtful.is_right, broken.answer, broken.is_right) == (
        "film good",
        True,
        "film bad",
        False,
    )
    assert same.damage == asked.original.damage < doubtful.damage < 1 < broken.damage < 2


def test_only_a_text_whose_answer_is_no_longer_the_likeliest_is_answered(prompts: Prompts) -> None:
    decoder = Scripted(by_superb)
    asked = question(prompts, decoder, PromptCompletion("superb film", "film good"))
    decoder.answered.clear()
    asked.ask(["superb movie", "movie", "superb plot"])
    assert decoder.answered == ["movie"]


def test_rows_are_asked_together_and_those_answered_wrong_are_told(prompts: Prompts) -> None:
    decoder = Scripted(by_superb)
    rows = [PromptCompletion(text, "film good") for text in ("superb film", "dull film")]
    found = GeneratorTarget(decoder, prompts, STOPS, EXACT).questions(rows, ())
    assert [one.original.is_right for one in found] == [True, False]
    assert decoder.answered == ["superb film", "dull film"]


def test_prompts_longer_than_the_context_are_refused_by_their_place_and_without_their_words(prompts: Prompts) -> None:
    decoder = Scripted(by_superb)
    texts = ["film " * (CONTEXT - 1) + "superb", "dull " * CONTEXT + "superb", "film", "dull " * CONTEXT + "film plot"]
    rows = [PromptCompletion(text, "film good") for text in texts]
    with pytest.raises(JobError) as refused:
        GeneratorTarget(decoder, prompts, STOPS, EXACT).questions(rows, ())
    assert refused.value.reason == (
        f"row 2 of the 4 that are asked: the prompt has {CONTEXT + 1} tokens, the base's context is {CONTEXT}; "
        "rows that are too long: 2"
    )
    assert decoder.answered == []


def test_the_last_message_of_a_user_is_attacked_and_nothing_around_it(prompts: Prompts) -> None:
    said = [
        ("system", "film"),
        ("user", "why"),
        ("assistant", "it is good"),
        ("user", "superb plot"),
        ("assistant", "good"),
    ]
    row = Messages([{"role": role, "content": content} for role, content in said])
    decoder = Scripted(lambda text: "good")
    asked = question(prompts, decoder, row)
    assert (asked.text, asked.expected) == ("superb plot", "good")
    decoder.read.clear()
    asked.ask(["dull scene"])
    [text] = decoder.read
    assert text == " ".join(WORDS[token] for token in prompts.question(row)).replace("superb plot", "dull scene")
    assert "system film" in text


def test_what_the_context_has_no_room_for_is_no_wrong_answer(prompts: Prompts) -> None:
    decoder = Scripted(by_superb)
    asked = question(prompts, decoder, PromptCompletion("superb film", "film good"))
    decoder.answered.clear()
    written = 3  # film good, and the end
    fits, is_too_long = "film " * (CONTEXT - written), "film " * (CONTEXT - written + 1)
    found = asked.ask([is_too_long, fits])
    assert found == [Reply("film good", True, 0.0), Reply("film bad", False, pytest.approx(found[1].damage))]
    assert decoder.answered == [fits.strip()]


def test_an_answer_that_is_cut_has_no_end(prompts: Prompts) -> None:
    decoder = Scripted(lambda text: "it is good")
    asked = question(
        prompts, decoder, PromptCompletion("film", "it is"), AnswerCheck(metric="exact_match", max_new_tokens=2)
    )
    assert asked.original.answer == "it is"
    decoder.answered.clear()
    assert asked.ask(["movie"])[0].is_right
    assert not decoder.answered


def test_another_answer_is_right_where_it_is_json_still(prompts: Prompts, monkeypatch: pytest.MonkeyPatch) -> None:
    as_json = {"film good": "{}", "film bad": "[]", "why": "{"}
    monkeypatch.setattr(prompts.tokenizer, "decode", lambda ids: as_json[" ".join(WORDS[token] for token in ids)])
    decoder = Scripted(lambda text: "why" if "dull" in text else by_superb(text))
    answer = AnswerCheck(metric="valid_json")
    asked = question(prompts, decoder, PromptCompletion("superb film", "{}"), answer)
    assert [(one.answer, one.is_right) for one in asked.ask(["film", "dull film"])] == [("[]", True), ("{", False)]


@pytest.mark.parametrize(
    ("templates", "prompt", "text"),
    [
        ((), "why is it good", "why is it good"),
        (("Review: {prompt}\nJSON:",), "Review: why\nJSON:", "why"),
        (("<{prompt}>", "Review: {prompt} ?"), "Review: <why> ?", "why"),
        (("Review: {prompt}",), "Text: why", "Text: why"),
        (("{prompt}: {prompt}",), "why: why", "why: why"),
        (("ab{prompt}ba",), "aba", "aba"),
    ],
    ids=["none", "one", "two", "a parent's", "twice", "overlapping"],
)
def test_a_template_s_words_are_not_the_users(templates: Sequence[str], prompt: str, text: str) -> None:
    operators: list[dict[str, Any]] = [{"op": "text_length", "version": 1}]
    operators += [{"op": "template", "version": 1, "prompt": template} for template in templates]
    users_text, row = UsersText(operators), PromptCompletion(prompt, "good")
    assert users_text.of(row) == text
    assert users_text.put(row, text) == row
    assert users_text.put(row, "x") == PromptCompletion(prompt.replace(text, "x"), "good")


def test_a_conversation_without_a_user_has_nothing_to_attack() -> None:
    alone = Messages([{"role": "system", "content": "film"}, {"role": "assistant", "content": "good"}])
    assert not has_users_text(alone)
    assert has_users_text(PromptCompletion("film", "good"))
