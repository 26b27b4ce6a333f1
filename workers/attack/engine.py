"""Runs a recipe against the served graph, row by row, in the attack's own process."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from textattack.attack_results import SkippedAttackResult, SuccessfulAttackResult
from textattack.models.wrappers import ModelWrapper
from textattack.shared import AttackedText

from workers.attack.recipes import RECIPES
from workers.attack.task import Example, LabeledText, Step, Task
from workers.base.tokenizer import TextTokenizer
from workers.graph.session import GraphSession

CACHE_SIZE = 50_000
VERSION = "attacked"


class GraphWrapper(ModelWrapper):  # type: ignore[misc]
    """The served graph as TextAttack sees a model. Texts are remembered across rows and queries."""

    def __init__(self, session: GraphSession) -> None:
        self.model = torch.nn.Identity()  # some of TextAttack's paths ask for one
        self._session = session
        self._known: dict[str, npt.NDArray[np.float32]] = {}
        self.tail = ""
        """What follows every text: the end of a row that the model does not read, unless changes pull it in."""

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if len(self._known) > CACHE_SIZE:
            self._known.clear()
        texts = [text + self.tail for text in texts]
        unknown = list(dict.fromkeys(text for text in texts if text not in self._known))
        self._known.update(zip(unknown, self._session.logits(unknown, VERSION), strict=True))
        return np.stack([self._known[text] for text in texts])


def run(task: Task, report: Callable[[Step], None]) -> tuple[Example, ...]:
    session = GraphSession(Path(task.base_graph), Path(task.tokenizer), task.max_length)
    session.load(VERSION, Path(task.adapter))
    tokenizer = TextTokenizer(Path(task.tokenizer), task.max_length)
    wrapper = GraphWrapper(session)
    attack = RECIPES[task.recipe](wrapper)
    examples: list[Example] = []
    for index, row in enumerate(task.rows):
        _seed(task.seed + index)
        read, wrapper.tail = divide(row.text, tokenizer.characters_read(row.text))
        attack.goal_function.query_budget = budget(read, task.queries_per_word, task.query_budget)
        answer = task.labels[int(wrapper([read])[0].argmax())]
        result = attack.attack(read, task.labels.index(row.label))
        examples.append(_example(result, row, answer, attack.goal_function.query_budget, wrapper.tail, task.labels))
        report(_step(examples))
    return tuple(examples)


def divide(text: str, characters_read: int) -> tuple[str, str]:
    """The words that the model reads, the last one whole though only its start may be read, and the rest."""
    end = characters_read
    while 0 < end < len(text) and not text[end].isspace():
        end += 1
    return text[:end], text[end:]


def budget(read: str, queries_per_word: int, cap: int | None) -> int:
    """Queries for one row: they grow with the words that can be attacked."""
    queries = queries_per_word * max(1, len(AttackedText(read).words))
    return queries if cap is None else min(queries, cap)


def _step(examples: Sequence[Example]) -> Step:
    return Step(
        done=len(examples),
        succeeded=sum(example.outcome == "succeeded" for example in examples),
        out_of_budget=sum(example.outcome == "out of budget" for example in examples),
        queries=sum(example.queries for example in examples),
    )


def _example(
    result: Any, row: LabeledText, answer: str, query_budget: int, tail: str, labels: Sequence[str]
) -> Example:
    known = {"text": row.text, "label": row.label, "answer": answer}
    if isinstance(result, SkippedAttackResult):
        return Example(outcome="skipped", queries=0, **known)
    queries = int(result.num_queries)
    if not isinstance(result, SuccessfulAttackResult):
        return Example(outcome="out of budget" if queries >= query_budget else "failed", queries=queries, **known)
    return Example(
        outcome="succeeded",
        perturbed_text=result.perturbed_text() + tail,
        perturbed_answer=labels[int(result.perturbed_result.output)],
        queries=queries,
        **known,
    )


def _seed(seed: int) -> None:
    """Before every row, so that its attack does not hang on the rows before. TextAttack draws from all three."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
