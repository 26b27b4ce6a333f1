"""References into a run's params, its event and its stages."""

import pytest

from controlplane.domain.references import ABSENT, UnresolvedReference, find, substitute

SPACES = {
    "params": {
        "rows": 500,
        "a.b": "dotted",
        "privacy": {"epsilon": 8.0},
        "on": True,
        "place": "Köln",
        "where": {"in": "Köln"},
    },
    "event": {"source": "s3", "data": {"files": [{"uri": "s3://a"}, {"uri": "s3://b"}], "none": None}},
    "stages": {"curate": {"dataset": "id-1"}},
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${params.rows}", 500),
        ("${params.privacy}", {"epsilon": 8.0}),
        ("${params.a.b}", "dotted"),
        ("${event.data.files.1.uri}", "s3://b"),
        ("${event.data.none}", None),
        ("rows: ${params.rows}, on: ${params.on}", "rows: 500, on: true"),
        ("in ${params.place}: ${params.where}", 'in Köln: {"in": "Köln"}'),
        (("${params.rows}", {"deep": "${params.rows}"}), [500, {"deep": 500}]),
        (7, 7),
        ({"x": ["${stages.curate.dataset}", 1]}, {"x": ["id-1", 1]}),
        ("costs $5 {not} a ${reference", "costs $5 {not} a ${reference"),
    ],
)
def test_a_whole_value_keeps_its_type_and_a_part_becomes_text(value: object, expected: object) -> None:
    assert substitute(value, SPACES) == expected


MANY = {"many": {f"k{number:02}": 1 for number in range(25)}}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("${event.data.uri}", "${event.data.uri} cannot be resolved: event.data has no 'uri' (it has: files, none)"),
        (
            "see ${event.data.files.2.uri}",
            "${event.data.files.2.uri} cannot be resolved: event.data.files has no '2' (it is a list)",
        ),
        (
            "${event.data.files.x}",
            "${event.data.files.x} cannot be resolved: event.data.files has no 'x' (it is a list)",
        ),
        (
            "${event.data.none.x}",
            "${event.data.none.x} cannot be resolved: event.data.none has no 'x' (it is nothing)",
        ),
        (
            "${stages.train.model_version}",
            "${stages.train.model_version} cannot be resolved: stages has no 'train' (it has: curate)",
        ),
        ("${empty.x}", "${empty.x} cannot be resolved: empty has no 'x' (it has: nothing)"),
        ("${other.x}", "${other.x}: there is no 'other' here, only empty, event, params, stages"),
    ],
)
def test_what_cannot_be_found_is_named_with_how_far_the_path_led(value: str, said: str) -> None:
    with pytest.raises(UnresolvedReference) as refused:
        substitute(value, {**SPACES, "empty": {}})
    assert str(refused.value) == said


def test_of_many_names_twenty_are_told() -> None:
    with pytest.raises(UnresolvedReference) as refused:
        substitute("${event.many.x}", {"event": MANY})
    assert str(refused.value).endswith(f"(it has: {', '.join(f'k{number:02}' for number in range(20))})")


def test_a_list_is_indexed_up_to_its_end_and_by_numbers_alone() -> None:
    assert [find([5, 6], place) for place in ("0", "1", "2", "-1", "x", "")] == [5, 6, ABSENT, ABSENT, ABSENT, ABSENT]
    assert find({"a": {"b.c": 1}}, "a.b.c") == 1
    assert find({"a": 5}, "a.b") is ABSENT
    assert find({"": {"a": 1}}, ".a") == 1


def test_none_is_a_value_and_not_an_absence() -> None:
    assert find({"a": None}, "a") is None
    assert find({"a": None}, "a.b") is ABSENT
