"""One label, however a format or a caller writes it."""

import datetime as dt
import math
import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.data.operators import Labels
from schemas.labels import MAX_LABEL, Label, NotALabel, canonical_label
from schemas.serving import FeedbackRequest


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("1", [1, 1.0, "1", "1.0", " 1.00 ", Decimal("1"), Decimal("1.0"), b"1", b"1.0"]),
        ("0", [0, 0.0, -0.0, "0", "0.0", "-0.0", "-0", Decimal("-0.0")]),
        ("-1", [-1, -1.0, "-1.0"]),
        ("1.5", [1.5, "1.5", Decimal("1.5")]),
        ("1.50", ["1.50", Decimal("1.50")]),
        ("true", [True, "true", "True", "TRUE"]),
        ("false", [False, "false", "False", "FALSE"]),
        ("caf\u00e9", ["caf\u00e9", "cafe\u0301", " caf\u00e9\t", "caf\u00e9".encode()]),
        ("2026-11-29", [dt.date(2026, 11, 29), "2026-11-29"]),
        ("10000000000", [10**10, 1e10, "10000000000.0"]),
        ("1e+20", [1e20, "1e+20"]),
    ],
)
def test_one_label_has_one_form(label: str, written: list[object]) -> None:
    assert {canonical_label(value) for value in written} == {label}


@pytest.mark.parametrize(
    "name", ["01", "3.10", "+1", "1.", ".0", "1.0.0", "yes", "tRuE", "Neg", "C#", "a  b", "\u0661.\u0660"]
)
def test_what_may_be_a_name_stays_as_it_is(name: str) -> None:
    assert canonical_label(name) == name


@pytest.mark.parametrize("value", [None, math.nan, "", "  \n", b"", Decimal("NaN")])
def test_no_label_is_none(value: object) -> None:
    assert canonical_label(value) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["pos"], "found a list"),
        ({"name": "neg"}, "found an object"),
        (dt.datetime(2026, 11, 29), "found a datetime"),
        (dt.timedelta(1), "found a timedelta"),
        ("a\0b", "NUL"),
        (b"caf\xe9", "not text"),
        ("\ud800", "not text"),
        ("x" * (MAX_LABEL + 1), "at most 200"),
    ],
)
def test_what_is_no_label_is_told_in_words_that_do_not_quote_it(value: object, words: str) -> None:
    with pytest.raises(NotALabel, match=words) as caught:
        canonical_label(value)
    assert repr(value) not in str(caught.value)


@given(st.one_of(st.text(max_size=50), st.floats(), st.integers(), st.booleans(), st.binary(max_size=20)))
def test_the_form_is_a_fixed_point(value: object) -> None:
    try:
        label = canonical_label(value)
    except NotALabel:
        return
    assert label is None or (canonical_label(label) == label and unicodedata.is_normalized("NFC", label))


@given(st.integers(-(10**14), 10**14))
def test_whole_numbers_are_one_label_in_every_type(number: int) -> None:
    assert {canonical_label(form) for form in (number, float(number), str(number), f"{number}.0", Decimal(number))} == {
        str(number)
    }


@pytest.mark.parametrize(("value", "label"), [("True", "true"), (1, "1"), (1.0, "1"), (" e\u0301 ", "\u00e9")])
def test_feedback_and_the_labels_of_a_spec_take_the_same_form(value: object, label: str) -> None:
    assert FeedbackRequest.model_validate({"prediction_id": "p", "label": value}).label == label
    assert Labels.model_validate({"labels": [value, "other"]}).labels == (label, "other")


@pytest.mark.parametrize("value", [None, "", ["a"], "x" * 201])
def test_a_label_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="label"):
        TypeAdapter(Label).validate_python(value)
