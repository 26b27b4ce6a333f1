"""One refusal, one cause: each broken field once, in words that its writer understands."""

import json
import re
from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Literal, Self

import pytest
import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, ValidationInfo, field_validator, model_validator

from controlplane.cli.specs import example
from schemas.faults import PATTERNS, FieldFault, in_words, line
from schemas.jobs import SPECS
from schemas.pipelines import PipelineSpec, TriggerSpec
from schemas.rollouts import RolloutPolicy
from tests.support.whole_references import with_whole_references

MODELS: list[type[BaseModel]] = [*SPECS.values(), PipelineSpec, TriggerSpec, RolloutPolicy]
DIALECT = re.compile(
    r"\^|\\|\[[^\]]*-[^\]]*\]\{|Input should|Field required|Extra inputs|Value error|valid (integer|string|number|"
    r"tuple|dictionary)|instance of|union|tuple|pattern|ge=|le=|gt="
)
BROKEN: tuple[Any, ...] = ({"no": "such"}, [[["deep"]]], "\u2603 \n not it", -1e300, float("nan"), True)


def fields() -> Iterator[Any]:
    for model in MODELS:
        for name in model.model_fields:
            yield pytest.param(model, name, id=f"{model.__name__}.{name}")


@pytest.mark.parametrize(("model", "name"), list(fields()))
def test_every_broken_field_is_named_once_and_in_words(model: type[BaseModel], name: str) -> None:
    refused = 0
    for value in BROKEN:
        document = {name: value}
        try:
            model.model_validate(document)
        except ValidationError as error:
            faults = [fault for fault in in_words(error, document) if "it is required" not in fault.expected]
            if not faults:
                continue  # the value is one of those that this field takes
            refused += 1
            named = [fault.field for fault in faults]
            assert len(named) == len(set(named)), named
            assert {field.split(".")[0] for field in named} == {name} or named == [""], named
            for fault in faults:
                assert not DIALECT.search(fault.expected), fault
                assert "expected" in fault.expected or fault.expected[0].islower(), fault
    assert refused or model.model_fields[name].annotation in (str, str | None), "nothing that it would not take"


def places(document: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of everything within a document, from the outside in."""
    entries = document.items() if isinstance(document, dict) else enumerate(document)
    for part, value in entries:
        yield (*above, part)
        if isinstance(value, dict | list):
            yield from places(value, (*above, part))


def broken(document: Any, place: tuple[str | int, ...], value: Any) -> Any:
    """A copy in which this place holds that value."""
    if not place:
        return value
    entries: Any = document.copy()
    entries[place[0]] = broken(entries[place[0]], place[1:], value)
    return entries


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_whatever_is_broken_within_a_document_is_what_is_named(model: type[BaseModel]) -> None:
    """The example of `spec --example`, each place of it broken in each way, however deep."""
    whole = json.loads(json.dumps(with_whole_references(yaml.safe_load(example(model))), default=str))
    refused = 0
    for place, value in product(places(whole), BROKEN):
        here = ".".join(str(part) for part in place)
        faults = faults_of(model, broken(whole, place, value))
        refused += bool(faults)
        named = [fault.field for fault in faults]
        assert len(named) == len(set(named)), named
        # a value within may make the whole wrong, and a document of something else lacks what is within
        assert all(_within(field, here) or _within(here, field) for field in named), (here, named)
        assert not any(DIALECT.search(fault.expected) for fault in faults)
    assert refused > len(list(places(whole)))


def faults_of(model: type[BaseModel], document: Any) -> list[FieldFault]:
    try:
        model.model_validate(document)
    except ValidationError as error:
        return in_words(error, document)
    return []


def _within(inner: str, outer: str) -> bool:
    return outer == "" or inner == outer or inner.startswith(f"{outer}.")


def test_every_pattern_of_the_contract_is_told_in_words() -> None:
    documents = [TypeAdapter(model).json_schema() for model in MODELS]
    patterns = set(re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(documents)))
    assert patterns
    assert {json.loads(pattern) for pattern in patterns} <= PATTERNS.keys()


class Small(BaseModel):
    limit: int | float | None = None
    part: "Small | str | None" = None
    names: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"limit": "x"}, ["limit: expected a whole number or a number, got 'x'"]),
        ({"part": {"limit": []}}, ["part.limit: expected a whole number or a number"]),
        ({"names": 7}, ["names: expected a list, got '7'"]),
        ({"names": ["a", 1, 2]}, ["names.1: expected a string, got '1'", "names.2: expected a string, got '2'"]),
    ],
)
@pytest.mark.parametrize("knows_document", [True, False])
def test_a_value_that_may_be_several_things_is_refused_once(
    document: dict[str, Any], said: list[str], knows_document: bool
) -> None:
    with pytest.raises(ValidationError) as refused:
        Small.model_validate(document)
    assert [str(fault) for fault in in_words(refused.value, document if knows_document else None)] == said


class Line(BaseModel):
    kind: Literal["line"]
    length: int = 1
    colour: Literal["red", "green"] = "red"
    width: int | None = Field(default=None, validate_default=True)

    @field_validator("width")
    @classmethod
    def _a_long_one_has_a_width(cls, width: int | None, info: ValidationInfo) -> int | None:
        if width is None and info.data.get("length", 0) > 9:
            raise ValueError("null; expected a number for a long line")
        return width

    @model_validator(mode="after")
    def _it_is_not_a_point(self) -> Self:
        if self.length == self.width == 0:
            raise ValueError("expected more than a point")
        return self


class Dot(BaseModel):
    kind: Literal["dot"]


class Drawing(BaseModel):
    parts: tuple[Annotated[Line | Dot, Field(discriminator="kind")], ...] = ()
    line: Line | None = None


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            {"parts": [{"kind": "dot"}, {"kind": "lime"}]},
            "parts.1.kind: expected 'line' or 'dot', got 'lime'; did you mean 'line'?",
        ),
        ({"parts": [{"kind": 5}]}, "parts.0.kind: expected 'line' or 'dot', got '5'"),
        ({"parts": [{"sort": "dot"}]}, "parts.0.kind: expected a value: it is required"),
        ({"parts": ["dot"]}, "parts.0: expected an object with keys, got 'dot'"),
        (
            {"parts": [{"kind": "line", "colour": "gren"}]},
            "parts.0.colour: expected 'red' or 'green', got 'gren'; did you mean 'green'?",
        ),
        ({"line": {"kind": "line", "colour": "blue"}}, "line.colour: expected 'red' or 'green', got 'blue'"),
        ({"parts": [{"kind": "line", "length": 10}]}, "parts.0.width: null; expected a number for a long line"),
        ({"line": {"kind": "line", "length": 10}}, "line.width: null; expected a number for a long line"),
        ({"parts": [{"kind": "line", "length": 0, "width": 0}]}, "parts.0: expected more than a point"),
        ({"line": {"kind": "line", "length": 0, "width": 0}}, "line: expected more than a point"),
    ],
)
def test_what_is_wrong_is_named_with_its_value_and_the_nearest_word(document: dict[str, Any], said: str) -> None:
    """A tag, a field whose default does not do beside the rest, and an object that is wrong as a whole."""
    with pytest.raises(ValidationError) as refused:
        Drawing.model_validate(document)
    (fault,) = in_words(refused.value, document)
    assert str(fault) == said
    (unquoted,) = in_words(refused.value, document, with_values=False)
    assert "got" not in str(unquoted)
    assert "mean" not in str(unquoted)
    assert str(fault.without_value()) == said.partition(", got")[0]


def test_no_secret_and_no_credential_is_shown_and_a_long_value_is_cut() -> None:
    class Keys(BaseModel):
        api_token: int
        uri: int

    with pytest.raises(ValidationError) as refused:
        Keys.model_validate({"api_token": "gw_secret", "uri": "s3://user:pass@host/" + "x" * 500})
    token, uri = in_words(refused.value)
    assert token.value is None
    assert uri.value is not None
    assert uri.value.startswith("s3://…@host/")
    assert len(uri.value) == 80
    assert "got" not in line(refused.value, with_values=False)
