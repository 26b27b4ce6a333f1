"""What a measurement may say, by the table of metrics and by itself; and what a finding may hold of them."""

from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from schemas.evidence import FindingOnRows, Measurement
from tests.support.builders.results import NO_ROWS, attacked, beside, evaluated, interval, measurement

VERSION, OTHER = UUID(int=1), UUID(int=2)
ACCURACY = measurement("accuracy", interval(0.5))
RECALL = measurement("recall", interval(0.5), "spam")


def said(one: Measurement, **changes: Any) -> Measurement:
    return type(one).model_validate(one.model_dump() | changes)


@pytest.mark.parametrize(
    ("one", "changes", "words"),
    [
        (ACCURACY, {"value": 0.6}, "0.6 lies outside its interval, 0.48 to 0.52"),
        (ACCURACY, {"low": 0.51}, "0.5 lies outside its interval"),
        (ACCURACY, {"high": 0.49}, "0.5 lies outside its interval"),
        (ACCURACY, {"direction": "minimize"}, "direction is minimize: expected maximize for accuracy"),
        (ACCURACY, {"high": 1.1}, "accuracy lies in 0.48 to 1.1: expected within 0 to 1"),
        (ACCURACY, {"low": -0.1}, "accuracy lies in -0.1 to 0.52: expected within 0 to 1"),
        (ACCURACY, {"slice": "spam"}, "slice is spam: expected null for accuracy"),
        (RECALL, {"slice": None}, "slice is None: expected a label for recall"),
        (ACCURACY, {"unknown": 1001}, "unknown is 1001: expected at most n, 1000"),
        (ACCURACY, {"metric": "Accuracy"}, "pattern"),
        (
            RECALL,
            {"metric": "precision", "paired": beside(OTHER).paired},
            "paired: expected null, for two versions are not compared by precision",
        ),
    ],
)
def test_a_measurement_that_contradicts_itself_or_its_metric_is_none(
    one: Measurement, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        said(one, **changes)


def test_a_metric_that_is_not_known_yet_is_left_alone() -> None:
    """A newer worker may measure more than this control plane knows."""
    found = said(ACCURACY, metric="seconds-a-row", value=3.5, low=3, high=4, direction="minimize", slice="long")
    assert found.subject == "seconds-a-row of long"
    read = finding(found, RECALL)
    assert read.measured("seconds-a-row", "long") == found
    assert read.measured("seconds-a-row") is None


def finding(*measurements: Measurement) -> FindingOnRows:
    result = evaluated(VERSION, 0.5)
    return type(result).model_validate(
        result.model_dump() | {"measurements": [one.model_dump() for one in measurements]}
    )


def test_a_measurement_is_found_by_metric_and_slice() -> None:
    other = said(RECALL, slice="ham", value=0.49)
    found = finding(ACCURACY, RECALL, other)
    assert (found.measured("recall", "spam"), found.measured("recall", "ham")) == (RECALL, other)
    assert (found.measured("accuracy"), found.measured("recall"), found.measured("recall", "eggs")) == (
        ACCURACY,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("measurements", "words"),
    [
        ((ACCURACY, said(ACCURACY, value=0.51)), "accuracy stands there twice"),
        ((RECALL, RECALL), "recall of spam stands there twice"),
        (
            (ACCURACY, measurement("clean_accuracy", interval(0.5))),
            "expected no clean_accuracy, which a job of kind attack measures",
        ),
    ],
    ids=["twice", "a slice twice", "of another kind"],
)
def test_a_finding_measures_each_once_and_only_what_its_kind_measures(
    measurements: tuple[Measurement, ...], words: str
) -> None:
    """Otherwise the better one of two could be asked, or an evaluation could speak for an attack."""
    with pytest.raises(ValidationError, match=words):
        finding(*measurements)


def test_of_no_rows_nothing_is_known() -> None:
    worst = attacked(VERSION, NO_ROWS).measured("attack_success_rate_at_worst")
    assert worst is not None
    assert (worst.low, worst.high, worst.n) == (0, 1, 0)
