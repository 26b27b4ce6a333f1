"""The metrics of evaluations and attacks, once: what each is, which kind of job measures it and which way is better."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Direction = Literal["maximize", "minimize"]
"""Which way is better."""
MetricName = Literal[
    "accuracy",
    "macro_f1",
    "recall",
    "precision",
    "f1",
    "exact_match",
    "valid_json",
    "token_f1",
    "rouge_l",
    "chrf",
    "perplexity",
    "attack_success_rate_at_worst",
    "accuracy_under_attack",
    "clean_accuracy",
]


@dataclass(frozen=True)
class Metric:
    """What a gate has to know of a metric, whatever job measures it."""

    kind: str
    """The kind of job that measures it."""
    words: str
    """What it is."""
    direction: Direction = "maximize"
    low: float = 0.0
    """No value is less."""
    high: float = 1.0
    """No value is more."""
    sliced_by: Literal["label"] | None = None
    """What it is measured apart for; None: once, for all rows."""
    paired: str | None = None
    """What is counted on the rows that two versions share; None: two versions are not compared by it."""

    @property
    def range(self) -> str:
        """Its values, in words."""
        return f"of at least {self.low:g}" if math.isinf(self.high) else f"from {self.low:g} to {self.high:g}"


METRICS: Final[Mapping[MetricName, Metric]] = {
    "accuracy": Metric("evaluate", "share of the rows that are answered right", paired="rows answered right"),
    "macro_f1": Metric("evaluate", "mean of `f1` over the labels that occur in the rows"),
    "recall": Metric(
        "evaluate",
        "share of a label's rows that are answered right",
        sliced_by="label",
        paired="rows of the label answered right",
    ),
    "precision": Metric("evaluate", "share of the rows answered with a label that have it", sliced_by="label"),
    "f1": Metric("evaluate", "harmonic mean of a label's precision and recall", sliced_by="label"),
    "exact_match": Metric(
        "evaluate",
        "share of the rows whose answer is the completion, but for spaces around it",
        paired="rows answered exactly",
    ),
    "valid_json": Metric(
        "evaluate", "share of the answers that are JSON, where every completion is", paired="rows answered with JSON"
    ),
    "token_f1": Metric(
        "evaluate",
        "mean F1 of the words that an answer and the completion share (https://arxiv.org/abs/1606.05250)",
        paired="each row's F1",
    ),
    "rouge_l": Metric(
        "evaluate",
        "mean F1 of the longest common subsequence of words (https://aclanthology.org/W04-1013)",
        paired="each row's F1",
    ),
    "chrf": Metric(
        "evaluate",
        "mean F2 of character sequences of up to 6, from 0 to 1 (https://aclanthology.org/W15-3049)",
        paired="each row's F2",
    ),
    "perplexity": Metric(
        "evaluate",
        "exponential of the mean negative log-likelihood of a token of the completions, each with its end",
        direction="minimize",
        low=1.0,
        high=math.inf,
        paired="the log-likelihood of each row's completion",
    ),
    "attack_success_rate_at_worst": Metric(
        "attack",
        "share of the rows answered right that an attack breaks, rows out of budget counted as broken",
        direction="minimize",
        paired="rows that both answer right and an attack breaks, those out of budget counted against the version",
    ),
    "accuracy_under_attack": Metric(
        "attack",
        "share of the attacked rows that are answered right and not broken; those out of budget count as broken",
    ),
    "clean_accuracy": Metric("attack", "share of the attacked rows that are answered right before the attack"),
}
