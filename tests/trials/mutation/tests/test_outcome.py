"""The report of a mutation campaign fails when it should: too few edits seen, or one that nobody explained."""

import json

import pytest

from tests.trials.mutation.__main__ import PAGE, RESULT, explanations
from tests.trials.mutation.outcome import MINIMUM, NOT_TRIED, Mutant, document, faults, page, seen_share

SEEN = [Mutant("a.b:f", "killed", "")] * 18
SURVIVOR = Mutant("a.b:Class.g", "survived", "- x < 1\n+ x <= 1")
UNTESTED = Mutant("a.c:h", "no tests", "- return 1\n+ return 2")
EXPLAINED = {"a.b:Class.g": {SURVIVOR.edit: "x is never 1"}}


def test_a_survivor_needs_an_explanation_of_its_own_edit() -> None:
    other = {"a.b:Class.g": {"- x < 2\n+ x <= 2": "x is never 2"}}
    assert faults(document([*SEEN, SURVIVOR], EXPLAINED, "c0ffee", "2026-11-29")) == []
    for explained in ({}, other):
        (fault,) = faults(document([*SEEN, SURVIVOR], explained, "c0ffee", "2026-11-29"))
        assert "a.b:Class.g" in fault
        assert "+ x <= 1" in fault


def test_too_few_seen_fails_however_well_explained() -> None:
    many = [SURVIVOR] * 3
    (fault,) = faults(document([*SEEN, *many], EXPLAINED, "c0ffee", "2026-11-29"))
    assert fault.startswith(f"{18 / 21:.1%}")


def test_what_no_test_reaches_counts_as_missed() -> None:
    assert seen_share({"killed": 9, "no tests": 1}) == MINIMUM
    result = document([*SEEN, UNTESTED], {}, "c0ffee", "2026-11-29")
    assert result["modules"]["a.c"] == {"no tests": 1}
    assert len(faults(result)) == 1


@pytest.mark.parametrize("status", ["caught by type check", "timeout"])
def test_the_type_checker_and_an_endless_loop_see_an_edit(status: str) -> None:
    assert seen_share({status: 1}) == 1


def test_the_page_shows_every_survivor_with_its_reason() -> None:
    text = page(document([*SEEN, SURVIVOR, UNTESTED], EXPLAINED, "c0ffee", "2026-11-29"))
    assert "- **x is never 1**" in text
    assert "- **not explained yet**" in text
    assert "| a.b | 19 | 94.7% | 18 | 0 | 0 | 1 | 0 | 2026-11-29, c0ffee |" in text
    assert "| **all** | 20 | 90.0% | 18 | 0 | 0 | 2 | 0 |" in text
    assert "easured" not in text.split("Last result")[1].split("|")[0]


def test_what_was_not_tried_is_no_part_of_the_share_is_named_and_fails() -> None:
    left = [Mutant("a.d:f", NOT_TRIED, "")] * 3
    result = document([*SEEN, *left, Mutant("a.b:f", NOT_TRIED, "")], {}, "c0ffee", "2026-11-29")
    assert faults(result) == ["4 mutants were not tried: run it again, it goes on where it stopped"]
    text = page(result)
    assert "Not measured: `a.d`.\nMeasured in part: `a.b`." in text
    assert "| a.d | 3 |  | 0 | 0 | 0 | 0 | 3 |" in text
    assert "| a.b | 19 | 100.0% | 18 | 0 | 0 | 0 | 1 |" in text


def test_a_module_that_was_not_tried_keeps_what_was_found_before() -> None:
    earlier = document([*SEEN, SURVIVOR, UNTESTED, Mutant("gone:f", "killed", "")], EXPLAINED, "c0ffee", "2026-11-29")
    again = [Mutant("a.b:f", NOT_TRIED, ""), Mutant("a.c:h", "killed", ""), Mutant("a.d:f", NOT_TRIED, "")]
    result = document(again, EXPLAINED, "decade", "2026-12-01", earlier)
    assert result["modules"] == {"a.b": {"killed": 18, "survived": 1}, "a.c": {"killed": 1}, "a.d": {NOT_TRIED: 1}}
    assert result["survivors"] == [one for one in earlier["survivors"] if one["function"] == SURVIVOR.function]
    played = {"a.b": "2026-11-29, c0ffee", "a.c": "2026-12-01, decade", "a.d": "2026-12-01, decade"}
    assert result["played"] == played


def test_the_page_in_the_documentation_is_the_stored_result() -> None:
    result = json.loads(RESULT.read_text())
    assert PAGE.read_text() == page(result)
    assert {one["why"] for one in result["survivors"]} - set(_reasons()) <= {""}


def _reasons() -> list[str]:
    return [why for edits in explanations().values() for why in edits.values()]


def test_every_explanation_is_of_an_edit_of_code_that_is_there() -> None:
    for function, edits in explanations().items():
        module, _, name = function.partition(":")
        source = (PAGE.parents[1] / f"{module.replace('.', '/')}.py").read_text()
        assert f"def {name.rpartition('.')[2]}(" in source
        for edit in edits:
            before = [line[2:] for line in edit.splitlines() if line.startswith("- ")]
            assert before, function
            assert {*before} <= {line.strip() for line in source.splitlines()}, f"{function}\n{edit}"
