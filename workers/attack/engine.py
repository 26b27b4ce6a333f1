"""Runs a recipe against the served graph, row by row, in the attack's own process."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from textattack.attack_results import SkippedAttackResult, SuccessfulAttackResult
from textattack.shared import AttackedText

from workers.attack.goal import AnswerBreaks, Victim
from workers.attack.recipes import RECIPES
from workers.attack.task import Example, Step, Task
from workers.data.rows import ROWS
from workers.tasks.target import Question, target_module


def run(task: Task, report: Callable[[Step], None]) -> tuple[Example, ...]:
    spec, make_row = task.spec, ROWS[task.row_schema]
    target = target_module(task.identity.task.type).open_target(task.graph, task.identity, spec)
    victim = Victim()
    attack = RECIPES[spec.recipe](AnswerBreaks(victim))
    examples: list[Example] = []
    rows = [make_row(*values) for values in task.rows]
    for index, question in enumerate(target.questions(rows, task.operators)):
        _seed(spec.seed + index)
        victim.face(question)
        queries = budget(question.text, spec.queries_per_word, spec.query_budget)
        attack.goal_function.query_budget = queries
        examples.append(_example(attack.attack(question.text, question.expected), question, queries))
        report(_step(examples))
    return tuple(examples)


def budget(text: str, queries_per_word: int, cap: int | None) -> int:
    """Queries for one row: they grow with the words that can be attacked."""
    queries = queries_per_word * max(1, len(AttackedText(text).words))
    return queries if cap is None else min(queries, cap)


def _step(examples: Sequence[Example]) -> Step:
    return Step(
        done=len(examples),
        succeeded=sum(example.outcome == "succeeded" for example in examples),
        out_of_budget=sum(example.outcome == "out of budget" for example in examples),
        queries=sum(example.queries for example in examples),
    )


def _example(result: Any, question: Question, query_budget: int) -> Example:
    known = {
        "text": question.text + question.tail,
        "expected": question.expected,
        "answer": question.original.answer,
    }
    if isinstance(result, SkippedAttackResult):
        return Example(outcome="skipped", queries=0, **known)
    queries = int(result.num_queries)
    if not isinstance(result, SuccessfulAttackResult):
        return Example(outcome="out of budget" if queries >= query_budget else "failed", queries=queries, **known)
    return Example(
        outcome="succeeded",
        perturbed_text=result.perturbed_text() + question.tail,
        perturbed_answer=result.perturbed_result.output,
        queries=queries,
        **known,
    )


def _seed(seed: int) -> None:
    """Before every row, so that its attack does not hang on the rows before. TextAttack draws from all three."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
