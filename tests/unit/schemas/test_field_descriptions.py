"""Every field that a person may write says what it means, and every number of them in which unit it is."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from schemas.base import Described
from schemas.docstrings import fields_of
from schemas.jobs import SPECS
from schemas.pipelines import PipelineSpec, TriggerSpec
from schemas.reference import UNIT, UNITS_BY_NAME
from schemas.rollouts import DeploymentSpec, OperatorRequest, RollbackRequest, RolloutRequest
from schemas.views.pages import Page

WRITTEN = (
    *SPECS.values(), PipelineSpec, TriggerSpec, DeploymentSpec, RolloutRequest, OperatorRequest, RollbackRequest,
)  # fmt: skip


def fields(model: type[BaseModel]) -> Iterator[tuple[str, dict[str, Any]]]:
    """`Object.field` and its schema, of the document and of everything inside."""
    schema = TypeAdapter(model).json_schema()
    for name, found in {model.__name__: schema, **schema.get("$defs", {})}.items():
        for field, part in found.get("properties", {}).items():
            yield f"{name}.{field}", part


def holds_a_number(part: Any) -> bool:
    if isinstance(part, dict):
        if part.get("type") in ("integer", "number"):
            return True
        return any(holds_a_number(inner) for key, inner in part.items() if key not in ("default", "examples"))
    return isinstance(part, list) and any(holds_a_number(inner) for inner in part)


@pytest.mark.parametrize("model", WRITTEN, ids=lambda model: model.__name__)
def test_every_field_is_described(model: type[BaseModel]) -> None:
    bare = [name for name, part in fields(model) if not part.get("description")]
    assert not bare, "write a sentence as a string below the field"


@pytest.mark.parametrize("model", WRITTEN, ids=lambda model: model.__name__)
def test_every_number_has_a_unit(model: type[BaseModel]) -> None:
    bare = [
        name
        for name, part in fields(model)
        if holds_a_number(part)
        and not UNIT.search(part.get("description", ""))
        and not name.endswith(tuple(UNITS_BY_NAME))
    ]
    assert not bare, "end the sentence below the field with `Unit: rows.`, or name it …_seconds, …_bytes"


def test_a_description_is_the_string_below_the_field_with_those_inherited() -> None:
    class Parent(Described):
        first: int
        """The first
        of two."""

    class Child(Parent):
        second: Parent
        """The second."""
        third: int = 0

    assert fields_of(Child) == {"first": "The first of two.", "second": "The second."}
    properties = Child.model_json_schema()["properties"]
    assert properties["first"]["description"] == "The first of two."
    assert properties["second"]["description"] == "The second."
    assert "description" not in properties["third"]


def test_a_generic_page_keeps_the_descriptions_of_its_fields() -> None:
    assert "cursor" in Page[int].model_json_schema()["properties"]["next"]["description"]
