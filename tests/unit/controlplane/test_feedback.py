"""What feedback says of an answer, for every task that there is."""

from typing import Any, get_args

import pytest

from controlplane.domain.feedback import JUDGES, is_wrong
from controlplane.errors import Invalid
from schemas.model.tasks import Task, TaskName
from schemas.outcomes import outcome_of
from schemas.serving import FeedbackRequest

TEXT = "A film to remember."


def judged(task: str, outcome: str, **said: Any) -> bool:
    return is_wrong(task, FeedbackRequest(prediction_id="p", **said), outcome, ("negative", "positive"))


def test_every_task_is_judged() -> None:
    union, _ = get_args(Task)
    assert set(JUDGES) == set(get_args(TaskName)) == {task.model_fields["type"].default for task in get_args(union)}


@pytest.mark.parametrize(
    ("task", "outcome", "said", "wrong"),
    [
        ("text-classification", "positive", {"label": "positive"}, False),
        ("text-classification", "positive", {"label": "negative"}, True),
        ("text-generation", outcome_of(TEXT), {"label": "good"}, False),
        ("text-generation", outcome_of(TEXT), {"label": "bad"}, True),
        ("text-generation", outcome_of(TEXT), {"reference": f"  {TEXT}\n"}, False),
        ("text-generation", outcome_of(TEXT), {"reference": TEXT.lower()}, True),
    ],
)
def test_an_answer_is_judged_as_its_task_says(task: str, outcome: str, said: dict[str, Any], wrong: bool) -> None:
    assert judged(task, outcome, **said) is wrong


@pytest.mark.parametrize(
    ("task", "said", "field", "expected"),
    [
        ("text-classification", {"label": "good"}, "label", "label 'good': expected one of negative, positive"),
        (
            "text-classification",
            {"reference": "positive"},
            "reference",
            "expected none, but a `label`: the answer is a label",
        ),
        (
            "text-generation",
            {"label": "positive"},
            "label",
            "expected `good` or `bad`, or a `reference`: the answer is a generated text",
        ),
    ],
)
def test_what_another_task_would_be_told_is_refused(task: str, said: dict[str, Any], field: str, expected: str) -> None:
    with pytest.raises(Invalid) as refused:
        judged(task, "positive", **said)
    assert (refused.value.field, refused.value.detail) == (field, expected)
