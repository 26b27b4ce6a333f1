"""What feedback says of an answer, task by task: whether it was wrong."""

from collections.abc import Callable, Collection
from typing import Final

from controlplane.errors import Invalid
from schemas.labels import canonical_label
from schemas.outcomes import outcome_of
from schemas.serving import FeedbackRequest

VERDICTS: Final = {"good": False, "bad": True}
"""A verdict on a generated text to whether that was wrong."""


def is_wrong(task: str, feedback: FeedbackRequest, outcome: str, labels: Collection[str]) -> bool:
    """Raises Invalid for what cannot be said of an answer of this task.

    `outcome`: what was signed with the answer. `labels`: those that a version in question knows; of a task without any,
    none.
    """
    return JUDGES[task](feedback, outcome, labels)


def _by_label(feedback: FeedbackRequest, outcome: str, labels: Collection[str]) -> bool:
    """A label that no version in question knows is a spelling mistake, and would count against whoever answered."""
    if feedback.label is None:
        raise Invalid("expected none, but a `label`: the answer is a label", field="reference")
    known = {canonical_label(name): name for name in labels}
    given = canonical_label(feedback.label)
    if given not in known:
        raise Invalid(f"label {feedback.label!r}: expected one of {', '.join(sorted(known.values()))}", field="label")
    return given != canonical_label(outcome)


def _by_verdict(feedback: FeedbackRequest, outcome: str, _labels: Collection[str]) -> bool:
    if feedback.reference is not None:
        return outcome_of(feedback.reference) != outcome
    if feedback.label not in VERDICTS:  # which may be somebody's text, meant as a reference
        raise Invalid("expected `good` or `bad`, or a `reference`: the answer is a generated text", field="label")
    return VERDICTS[feedback.label]


JUDGES: Final[dict[str, Callable[[FeedbackRequest, str, Collection[str]], bool]]] = {
    "text-classification": _by_label,
    "text-generation": _by_verdict,
}
"""Task to how feedback on its answers is read."""
