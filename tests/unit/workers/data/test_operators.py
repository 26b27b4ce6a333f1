"""Every operator: it has an implementation, keeps what it declares of itself, and gives each row one fate."""

import random
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from schemas.data.operators import (
    DEFAULT,
    OPERATORS,
    Bands,
    Deduplicate,
    GroupBy,
    Labels,
    OfSources,
    OperatorSettings,
    Sample,
    Splits,
    Stability,
    Template,
    TextLength,
    Truncate,
    WordCount,
    pipeline,
)
from schemas.jobs.curate import CurateSpec
from tests.support.builders.specs import source_at
from tests.support.curation import NO_SPLIT, a_row, curate, rejects_of, splits_of
from tests.support.workbench import Workbench
from workers.curate.operators.operator import Given, implementation
from workers.curate.rows import Reject
from workers.data.normalize import normalize
from workers.data.rows import Place, PromptCompletion, Row, TextLabel

FOLDER = Path(__file__).parents[4] / "workers" / "curate" / "operators"
GIVEN = Given(seed=3, labels=("negative", "positive"))


def settings_of(operator: type[OperatorSettings]) -> OperatorSettings:
    """With the field's example where it has one, so that every operator has something to do."""
    examples = {name: field.examples[0] for name, field in operator.model_fields.items() if field.examples}
    return operator.model_validate({**examples, **PLANTED.get(operator, {})})


PLANTED: dict[type[OperatorSettings], dict[str, Any]] = {
    Truncate: {"max_words": 3},
    TextLength: {"max_characters": 12},
    WordCount: {"min_words": 2, "max_words": 3},
    Labels: {"thresholds": (2, 4)},
    Sample: {"limit": 3},
}
"""Settings by which some of `ROWS` are rejected or changed, where the examples are for real rows."""
TEXTS = ("fine", "a fine film", "A fine film!", "a film", "so very long a text that it is cut", "dull", "dull again")
ROWS = [
    a_row(text, str(number % 5), f"{'ab'[number % 2]}_{number}" if number % 3 else f"{number}", normalize(text), place)
    for number, text in enumerate(TEXTS * 3)
    for place in (Place(0, number + 1),)
]
PROMPTS: list[Row] = [
    PromptCompletion(f"{row.text} {row.place.line}", ("1", "3.5", "5", "many")[row.place.line % 4], place=row.place)
    for row in ROWS
    if row.place
]


def rows_for(operator: type[OperatorSettings]) -> list[Row]:
    """Rows of a row schema that it makes sense of."""
    return [*ROWS] if "text_label" in operator.ROW_SCHEMAS else PROMPTS


def fates(settings: OperatorSettings, rows: list[Row]) -> dict[int, Row | tuple[str | None, str]]:
    """What becomes of the row of each line."""
    kept, rejects = implementation(settings)(rows, settings, GIVEN)
    found: list[tuple[int, Row | tuple[str | None, str]]] = [
        *((row.place.line, row) for row in kept if row.place),
        *((reject.place.line, (reject.operator, reject.reason)) for reject in rejects),
    ]
    assert len(dict(found)) == len(found), "one fate a row"
    return dict(found)


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_has_a_version_a_module_in_its_family_and_a_declared_stability(
    operator: type[OperatorSettings],
) -> None:
    settings = settings_of(operator)
    assert settings.version >= 1
    assert operator.STABILITY in get_args(Stability)
    assert find_spec(f"workers.curate.operators.{operator.FAMILY}.{settings.op}") is not None


def test_every_module_of_a_family_with_an_operator_is_listed() -> None:
    """An operator that is not in the list is reached by nobody."""
    written = {
        (path.parent.name, path.stem)
        for path in FOLDER.glob("*/*.py")
        if any(line.startswith(("apply =", "def apply(")) for line in path.read_text().splitlines())
    }
    assert written == {(operator.FAMILY, operator.model_fields["op"].default) for operator in OPERATORS}


@pytest.mark.parametrize("operator", [one for one in OPERATORS if one.STABILITY == "record-local"])
def test_a_record_local_operator_gives_each_row_the_same_fate_alone_and_in_company(
    operator: type[OperatorSettings],
) -> None:
    settings, rows = settings_of(operator), rows_for(operator)
    together = fates(settings, rows)
    assert set(together) == {row.place.line for row in rows if row.place}, "every row has one"
    assert {fate for fate in together.values() if isinstance(fate, tuple)} or any(
        together[row.place.line] != row for row in rows if row.place
    ), "these rows give it something to do"
    for row in rows:
        assert row.place is not None
        assert fates(settings, [row]) == {row.place.line: together[row.place.line]}
    shuffled = random.Random(1).sample(rows, len(rows))
    assert fates(settings, shuffled) == together


@pytest.mark.parametrize("operator", [one for one in OPERATORS if one.STABILITY == "cross-record"])
def test_a_cross_record_operator_gives_some_row_another_fate_in_company(operator: type[OperatorSettings]) -> None:
    """Or it would be record-local, and should say so."""
    settings, rows = settings_of(operator), rows_for(operator)
    together, half = fates(settings, rows), fates(settings, rows[: len(rows) // 2])
    assert any(together.get(line) != fate for line, fate in half.items())


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_rejects_for_the_reasons_that_it_declares(operator: type[OperatorSettings]) -> None:
    settings, rows = settings_of(operator), rows_for(operator)
    told = {fate for fate in fates(settings, rows).values() if isinstance(fate, tuple)}
    assert {who for who, _ in told} <= {settings.op}
    assert {reason for _, reason in told} <= set(operator.REJECTS)


def test_a_row_of_the_parent_version_is_never_rejected() -> None:
    with pytest.raises(ValueError, match="never rejected"):
        Reject.of(a_row("t", "a", None, "t"), "split", "duplicate")


def test_each_length_bound_is_the_last_that_passes() -> None:
    def judged(settings: OperatorSettings, text: str) -> object:
        (fate,) = fates(settings, [a_row(text, "a", None, text, Place(0, 1))]).values()
        return fate[1] if isinstance(fate, tuple) else fate.text

    assert judged(TextLength(max_characters=3), "abc") == "abc"
    assert judged(TextLength(max_characters=3), "abcd") == "too_long"
    assert TextLength().max_characters == 1_000_000
    bounds = WordCount(min_words=2, max_words=3)
    assert [judged(bounds, "w " * count)[:5] for count in (1, 2, 3, 4)] == [  # type: ignore[index]
        "too_f", "w w ", "w w w", "too_m",
    ]  # fmt: skip
    assert judged(Truncate(max_words=2), "one\t two three") == "one\t two"
    assert judged(Truncate(max_words=2), "one\t two") == "one\t two"


def test_a_text_that_is_too_long_is_left_out_before_its_normal_form_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three thousand rows that share one text of a megabyte cost a minute of it."""
    monkeypatch.setattr("workers.data.rows.normalize", lambda text: pytest.fail(f"{len(text)} characters were read"))
    (fate,) = fates(TextLength(max_characters=3), [TextLabel("abcd", "a", place=Place(0, 1))]).values()
    assert fate == ("text_length", "too_long")


def test_a_text_that_is_cut_is_compared_by_what_is_left() -> None:
    kept, _ = implementation(Truncate(max_words=1))([a_row("A b", "a", None, "a b")], Truncate(max_words=1), GIVEN)
    assert [(row.text, row.key) for row in kept] == [("A", "a")]


@pytest.mark.parametrize(
    ("label", "fate"),
    [("2", "negative"), ("-1e3", "negative"), ("4", "positive"), ("3.9", "label_between_thresholds"),
     ("2.5", "label_between_thresholds"), ("true", "label_not_a_number"), ("good", "label_not_a_number")],
)  # fmt: skip
def test_thresholds_make_labels_of_numbers(label: str, fate: str) -> None:
    settings = Labels(labels=("negative", "positive"), thresholds=(2, 4))
    (found,) = fates(settings, [a_row("t", label, None, "t", Place(0, 1))]).values()
    assert (found[1] if isinstance(found, tuple) else found.label) == fate


@pytest.mark.parametrize(
    ("number", "fate"),
    [("2", "bad"), ("-1e3", "bad"), (" 4 ", "good"), ("4.5", "good"), ("5", "best"),
     ("3.9", "completion_between_bands"), ("nan", "completion_not_a_number"), ("two", "completion_not_a_number")],
)  # fmt: skip
def test_bands_make_words_of_numbers_and_the_first_that_holds_one_says_it(number: str, fate: str) -> None:
    bands = [{"high": 2, "completion": "bad"}, {"low": 4, "high": 4.5, "completion": "good"},
             {"low": 4, "completion": "best"}]  # fmt: skip
    settings = Bands.model_validate({"bands": bands})
    (found,) = fates(settings, [PromptCompletion("t", number, place=Place(0, 1))]).values()
    assert (found[1] if isinstance(found, tuple) else found.completion) == fate  # type: ignore[union-attr]


def test_a_band_whose_bounds_are_swapped_and_a_template_without_a_place_are_refused() -> None:
    with pytest.raises(ValidationError, match="low 3 is above high 2"):
        Bands.model_validate({"bands": [{"low": 3, "high": 2, "completion": "x"}]})
    with pytest.raises(ValidationError, match=r"expected \{prompt\} in it"):
        Template(prompt="Review:")


def test_a_row_that_an_operator_changed_is_compared_by_what_it_became() -> None:
    first, second = PromptCompletion("a", "1", place=Place(0, 1)), PromptCompletion("a", "2", place=Place(0, 2))
    assert first.key != second.key, "made before they change"
    bad = Bands.model_validate({"bands": [{"completion": "bad"}]})
    kept, _ = implementation(bad)([first, second], bad, GIVEN)
    assert len({row.key for row in kept}) == 1
    asked = Template(prompt='{"text": "{prompt}"} {0}')
    (row,), _ = implementation(asked)([first], asked, GIVEN)
    assert (row.prompt, row.question) == ('{"text": "a"} {0}', normalize('{"text": "a"} {0}'))  # type: ignore[union-attr]


def test_the_default_operators_take_changes_at_their_places() -> None:
    found = pipeline(NO_SPLIT, WordCount(min_words=3), GroupBy(pattern="(a)"), Truncate(max_words=5))
    assert [operator.op for operator in found] == [
        "truncate", "text_length", "word_count", "group_by", "deduplicate", "sample", "deduplicate", "split",
    ]  # fmt: skip
    assert (found[2], found[-1]) == (WordCount(min_words=3), NO_SPLIT)
    assert pipeline() == DEFAULT == CurateSpec.model_fields["operators"].default
    assert [operator.scope for operator in DEFAULT] == ["source"] * 4 + ["dataset"] * 2


def test_an_operator_may_be_meant_for_some_sources(bench: Workbench) -> None:
    scored = bench.jsonl("a.jsonl", [{"text": f"scored {n}", "label": n} for n in range(1, 6)])
    named = bench.jsonl("b.jsonl", [{"text": f"named {n}", "label": "bad" if n % 2 else "good"} for n in range(9)])
    by_score = Labels(labels=("bad", "good"), thresholds=(2, 4), sources=(0,))
    few = Sample(limit=4, sources=(1,))
    result = curate(bench, source_at(scored), source_at(named), operators=pipeline(by_score, few, NO_SPLIT))
    held = splits_of(bench, result)["train"]
    assert Counter(row["text"].split()[0] for row in held) == {"scored": 4, "named": 4}
    assert result.rejected == {"label_between_thresholds": 1}


def test_every_operator_of_a_list_is_run_in_its_order(bench: Workbench) -> None:
    """Cut first, three texts are one; counted first, two of them are too long."""
    rows = [
        {"text": text, "label": label} for text, label in (("a b c", "x"), ("a b d e", "x"), ("a b", "x"), ("c", "y"))
    ]
    source = source_at(bench.jsonl("r.jsonl", rows))
    cut, count, once = Truncate(max_words=2), WordCount(min_words=1, max_words=3), Deduplicate()
    first = curate(bench, source, operators=(cut, count, once, NO_SPLIT))
    assert (first.rejected, first.truncated) == ({"duplicate": 2}, 2)
    assert {one["operator"] for one in rejects_of(bench, first)} == {"deduplicate"}
    second = curate(bench, source, operators=(count, cut, once, NO_SPLIT))
    assert (second.rejected, second.truncated) == ({"duplicate": 1, "too_many_words": 1}, 1)
    assert {(one["operator"], one["reason"]) for one in rejects_of(bench, second)} == {
        ("deduplicate", "duplicate"), ("word_count", "too_many_words"),
    }  # fmt: skip
    third = curate(bench, source, operators=(once, NO_SPLIT))
    assert (third.rejected, third.rows["train"]) == ({}, 4)
    fourth = curate(bench, source, operators=(Deduplicate(within="source"), cut, NO_SPLIT))
    assert (fourth.rejected, fourth.truncated, fourth.rows["train"]) == ({}, 2, 4)


def test_settings_of_another_operator_are_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Splits.model_validate({"limit": 3})
    assert {one.model_fields["op"].default for one in OPERATORS if issubclass(one, OfSources)} == {
        "labels", "bands", "template", "group_by", "sample",
    }  # fmt: skip
