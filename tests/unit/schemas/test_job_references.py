"""Where a spec refers to versions is told by its fields' types: names are found wherever a reference belongs."""

from typing import Any

import pytest

from schemas.artifacts import DatasetRef, Reference
from schemas.jobs import JOB_KINDS, SPECS
from schemas.jobs.merge import MergeSpec
from schemas.jobs.references import Filled, GraphOf, OtherThan, TrainedOn, marked, references, with_references
from schemas.model.references import ModelRef
from tests.support.builders.datasets import dataset_ref
from tests.support.builders.models import model_ref
from tests.support.builders.specs import frozen_head, merge_spec, train_spec

Place = tuple[type[Reference], Any, str]


def places(kind: Any, document: dict[str, Any]) -> list[Place]:
    """What stands where a reference belongs, as the reader of a spec is shown it."""
    found: list[Place] = []

    def see(wanted: type[Reference], value: Any, path: str) -> Any:
        found.append((wanted, value, path))
        return value

    with_references(SPECS[kind], document, see)
    return found


@pytest.mark.parametrize(
    ("kind", "document", "expected"),
    [
        ("curate", {"parent": "reviews@latest", "dataset": "reviews"}, [(DatasetRef, "reviews@latest", "parent")]),
        ("curate", {"parent": None}, []),
        (
            "train",
            {"dataset": "a/1", "public_dataset": "b/1", "task": frozen_head("m/1")},
            [
                (ModelRef, "m/1", "task.head.model_version"),
                (DatasetRef, "a/1", "dataset"),
                (DatasetRef, "b/1", "public_dataset"),
            ],
        ),
        ("train", {"task": {"head": {"type": "fit", "model_version": "m/1"}}}, []),
        ("train", {"task": {"head": "m/1"}}, []),
        (
            "merge",
            {"sources": ["m/1", {"model_version": "m/2", "weight": 2}]},
            [(ModelRef, "m/1", "sources.0.model_version"), (ModelRef, "m/2", "sources.1.model_version")],
        ),
        ("merge", {"sources": "m/1"}, []),
        (
            "attack",
            {"against": "m@champion", "dataset": 7, "model_version": {"id": "x"}},
            [
                (ModelRef, {"id": "x"}, "model_version"),
                (DatasetRef, 7, "dataset"),
                (ModelRef, "m@champion", "against"),
            ],
        ),
        ("export", {"model": "m/1"}, []),
    ],
)
def test_names_are_found_by_the_types_of_fields(kind: str, document: dict[str, Any], expected: list[Place]) -> None:
    assert places(kind, document) == expected


def test_what_is_put_there_takes_the_name_s_place_and_nothing_else_changes() -> None:
    document = {"sources": ["m/1", {"model_version": "m/2", "weight": 2}], "model": "m", "unknown": ["m/3"]}
    found = with_references(MergeSpec, document, lambda wanted, value, path: f"whole {value}")
    assert found == {
        "sources": [{"model_version": "whole m/1"}, {"model_version": "whole m/2", "weight": 2}],
        "model": "m",
        "unknown": ["m/3"],
    }
    assert document["sources"] == ["m/1", {"model_version": "m/2", "weight": 2}]


def test_the_references_of_a_spec_come_in_the_order_of_its_fields() -> None:
    dataset, model = dataset_ref(), model_ref()
    trained = train_spec(dataset=dataset, task=frozen_head(model))
    assert list(references(trained)) == [model, dataset]
    assert list(references(merge_spec(model, model))) == [model, model]


@pytest.mark.parametrize("kind", JOB_KINDS)
def test_a_mark_names_a_reference_to_a_model_version(kind: Any) -> None:
    spec = SPECS[kind]
    for field, mark in {**marked(spec, Filled), **marked(spec, OtherThan)}.items():
        assert places(kind, {mark.of: "m/1"}) == [(ModelRef, "m/1", mark.of)], field
        assert not spec.model_fields[field].is_required()


def test_what_the_control_plane_fills_of_an_evaluation() -> None:
    assert marked(SPECS["evaluate"], Filled) == {
        "graph": GraphOf("model_version"),
        "against_graph": GraphOf("against"),
        "trained_on": TrainedOn("model_version"),
    }
    assert marked(SPECS["evaluate"], OtherThan) == {"against": OtherThan("model_version")}
