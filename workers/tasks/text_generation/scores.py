"""How near a text comes to the one that was expected, by measures of the field: each a number from 0 to 1."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from schemas.jobs.attack import AnswerMetric
from schemas.metrics import MetricName

_WORD: Final = re.compile(r"\w+")
_CHRF_ORDER: Final = 6
_CHRF_BETA: Final = 2
"""Recall counts so many times as much as precision."""


def exact_match(answer: str, expected: str) -> bool:
    """But for spaces around them."""
    return answer.strip() == expected.strip()


def is_json(text: str) -> bool:
    """One document, as RFC 8259 has it: Python alone would take NaN too."""
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


CHECKS: Final[Mapping[AnswerMetric, Callable[[str, str], bool]]] = {
    "exact_match": exact_match,
    "valid_json": lambda answer, _: is_json(answer),
}
"""Whether an answer is right, where something else was expected or the same."""


def token_f1(answer: str, expected: str) -> float:
    """SQuAD's F1 (https://arxiv.org/abs/1606.05250), of words in any language: it drops no English articles."""
    found, wanted = words(answer), words(expected)
    return _f1(sum((Counter(found) & Counter(wanted)).values()), len(found), len(wanted))


def rouge_l(answer: str, expected: str) -> float:
    """ROUGE-L's F1 (https://aclanthology.org/W04-1013), of words in any language."""
    found, wanted = words(answer), words(expected)
    return _f1(_longest_common_subsequence(found, wanted), len(found), len(wanted))


def chrf(answer: str, expected: str) -> float:
    """chrF2 (https://aclanthology.org/W15-3049) as sacrebleu computes it of one sentence, over 100.

    Precision and recall are averaged over the orders that both texts are long enough for.
    """
    found, wanted = "".join(answer.split()), "".join(expected.split())
    pairs = [_precision_and_recall(found, wanted, n) for n in range(1, _CHRF_ORDER + 1)]
    known = [pair for pair in pairs if pair is not None]
    if not known:
        return 0.0
    precision, recall = (sum(values) / len(known) for values in zip(*known, strict=True))
    factor = _CHRF_BETA**2
    total = factor * precision + recall
    return (1 + factor) * precision * recall / total if total else 0.0


MEANS: Final[Mapping[MetricName, Callable[[str, str], float]]] = {
    "token_f1": token_f1,
    "rouge_l": rouge_l,
    "chrf": chrf,
}
"""How near an answer comes to what was expected: each metric is the mean over the rows."""


def words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _f1(shared: int, found: int, wanted: int) -> float:
    """Two texts without any word are alike."""
    return 2 * shared / (found + wanted) if found + wanted else 1.0


def _longest_common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    lengths = [0] * (len(other) + 1)
    for word in one:
        row = [0]
        for place, (diagonal, above) in enumerate(pairwise(lengths)):
            row.append(diagonal + 1 if word == other[place] else max(above, row[-1]))
        lengths = row
    return lengths[-1]


def _precision_and_recall(found: str, wanted: str, n: int) -> tuple[float, float] | None:
    """How many sequences of n characters two texts share, of those of either; None: one has none so long."""
    mine, theirs = (Counter(text[i : i + n] for i in range(len(text) - n + 1)) for text in (found, wanted))
    if not mine or not theirs:
        return None
    shared = sum((mine & theirs).values())
    return shared / mine.total(), shared / theirs.total()


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")
