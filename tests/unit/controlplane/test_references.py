"""References into a run's params, its event and its stages."""

import pytest

from controlplane.domain.references import ABSENT, UnresolvedReference, find, substitute

SPACES = {
    "params": {"rows": 500, "a.b": "dotted", "privacy": {"epsilon": 8.0}, "on": True},
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
        ({"x": ["${stages.curate.dataset}", 1]}, {"x": ["id-1", 1]}),
        ("costs $5 {not} a ${reference", "costs $5 {not} a ${reference"),
    ],
)
def test_a_whole_value_keeps_its_type_and_a_part_becomes_text(value: object, expected: object) -> None:
    assert substitute(value, SPACES) == expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("${event.data.uri}", "event.data has no 'uri' (it has: files, none)"),
        ("${event.data.files.2.uri}", "event.data.files has no '2'"),
        ("${stages.train.model_version}", "stages has no 'train' (it has: curate)"),
        ("${other.x}", "there is no 'other' here, only event, params, stages"),
    ],
)
def test_what_cannot_be_found_is_named_with_how_far_the_path_led(value: str, said: str) -> None:
    with pytest.raises(UnresolvedReference) as refused:
        substitute(value, SPACES)
    assert said in str(refused.value)


def test_none_is_a_value_and_not_an_absence() -> None:
    assert find({"a": None}, "a") is None
    assert find({"a": None}, "a.b") is ABSENT
