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

from workers.attack.recipes import RECIPES
from workers.attack.task import Example, Step, Task
from workers.model.session import GraphSession

CACHE_SIZE = 50_000
VERSION = "attacked"


class GraphWrapper(ModelWrapper):  # type: ignore[misc]
    """The served graph as TextAttack sees a model. Texts are remembered across rows and queries."""

    def __init__(self, session: GraphSession) -> None:
        self.model = torch.nn.Identity()  # some of TextAttack's paths ask for one
        self._session = session
        self._known: dict[str, npt.NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if len(self._known) > CACHE_SIZE:
            self._known.clear()
        unknown = list(dict.fromkeys(text for text in texts if text not in self._known))
        self._known.update(zip(unknown, self._session.logits(unknown, VERSION), strict=True))
        return np.stack([self._known[text] for text in texts])


def run(task: Task, report: Callable[[Step], None]) -> tuple[Example, ...]:
    session = GraphSession(Path(task.base_graph), Path(task.tokenizer), task.max_length)
    session.load(VERSION, Path(task.adapter))
    wrapper = GraphWrapper(session)
    attack = RECIPES[task.recipe](wrapper)
    attack.goal_function.query_budget = task.query_budget
    examples: list[Example] = []
    for index, row in enumerate(task.rows):
        _seed(task.seed + index)
        answer = task.labels[int(wrapper([row.text])[0].argmax())]
        result = attack.attack(row.text, task.labels.index(row.label))
        examples.append(_example(result, row.text, row.label, answer, task.labels))
        succeeded = sum(example.outcome == "succeeded" for example in examples)
        report(Step(done=index + 1, succeeded=succeeded, queries=sum(example.queries for example in examples)))
    return tuple(examples)


def _example(result: Any, text: str, label: str, answer: str, labels: Sequence[str]) -> Example:
    if isinstance(result, SkippedAttackResult):
        return Example(outcome="skipped", text=text, label=label, answer=answer, queries=0)
    if not isinstance(result, SuccessfulAttackResult):
        return Example(outcome="failed", text=text, label=label, answer=answer, queries=int(result.num_queries))
    return Example(
        outcome="succeeded",
        text=text,
        label=label,
        answer=answer,
        perturbed_text=result.perturbed_text(),
        perturbed_answer=labels[int(result.perturbed_result.output)],
        queries=int(result.num_queries),
    )


def _seed(seed: int) -> None:
    """Before every row, so that its attack does not hang on the rows before. TextAttack draws from all three."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
