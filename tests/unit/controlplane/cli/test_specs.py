"""`graftwork … spec --example` prints documents that the schemas take, with every field of them."""

from typing import Any

import pytest
import yaml

from controlplane.cli.specs import example, spec_of
from schemas.jobs import JOB_KINDS
from schemas.pipelines import PipelineSpec, TriggerSpec
from schemas.reference import rows
from schemas.rollouts import DeploymentSpec
from tests.support.whole_references import with_whole_references

MODELS = {**{kind: spec_of(kind) for kind in JOB_KINDS},
          "pipeline": PipelineSpec, "trigger": TriggerSpec, "deployment": DeploymentSpec}  # fmt: skip


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_an_example_validates(model: Any) -> None:
    model.model_validate(with_whole_references(yaml.safe_load(example(model))))


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_an_example_validates_with_everything_that_it_leaves_out(model: Any) -> None:
    """Each commented field has a value that the schema takes, or none at all."""
    text = example(model)
    named = {field for field in model.model_fields if f"\n{field}:" in text or f"\n# {field}:" in text}
    assert named == set(model.model_fields)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_field_stands_above_with_its_meaning(model: Any) -> None:
    assert all(row.meaning and row.type for row in rows(model))


def test_rows_reach_into_lists_choices_and_nested_objects() -> None:
    paths = {row.path for row in rows(DeploymentSpec)} | {row.path for row in rows(spec_of("curate"))}
    paths |= {row.path for row in rows(PipelineSpec)} | {row.path for row in rows(spec_of("train"))}
    assert {"policy.canary.metrics[wrong].margin", "policy.gates[metric].minimum", "sources[].uri"} <= paths
    assert {
        "stages.<name>(release).deployment",
        "privacy.epsilon",
        "method(lora).r",
        "task(text-classification).head(frozen).model_version",
    } <= paths


def test_a_row_says_default_unit_and_range() -> None:
    by_path = {row.path: row for row in rows(spec_of("train"))}
    assert (by_path["epochs"].default, by_path["epochs"].unit, by_path["epochs"].range) == ("1", "passes", "≥ 1, ≤ 100")
    assert by_path["model"].default == "required"
    assert by_path["method(lora).lora_dropout"].range == "≥ 0, < 1"


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_no_two_fields_have_the_same_path(model: Any) -> None:
    """A choice is told from the others by the value that it fixes, wherever that stands among its fields."""
    paths = [row.path for row in rows(model)]
    assert len(set(paths)) == len(paths)
