"""An export in a precision that its task is not served in is refused at put where the pipeline says the task."""

from typing import Any, Final

import pytest

from controlplane.domain.pipeline import check_pipeline
from controlplane.errors import Invalid
from schemas.pipelines import PipelineSpec

MADE: Final = "${stages.train.model_version}"
GENERATION: Final = {"task": {"type": "text-generation"}}
CLASSIFICATION: Final = {"task": {"type": "text-classification"}}
REFUSED: Final = "stages.export.spec.precision: int4: expected fp32 for text-classification"


def put(train: dict[str, Any], export: dict[str, Any], **between: dict[str, Any]) -> None:
    stages = {
        "train": {"kind": "train", "spec": train},
        **{name: {"kind": name, "needs": ["train"], "spec": spec} for name, spec in between.items()},
        "export": {"kind": "export", "needs": ["train", *between], "spec": export},
    }
    params = {"task": {"type": "text-classification"}, "precision": "int4"}
    check_pipeline(PipelineSpec.model_validate({"name": "p", "params": params, "stages": stages}))


@pytest.mark.parametrize("train", [{}, CLASSIFICATION])
def test_a_classifier_in_int4_is_refused_also_where_its_task_is_the_default(train: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        put(train, {"model_version": MADE, "precision": "int4"})
    assert (refused.value.detail, refused.value.field) == (REFUSED, "stages.export.spec.precision")


@pytest.mark.parametrize(
    ("handed_on", "version"),
    [
        ({"merge": {"sources": ["sentiment/1", {"model_version": MADE}]}}, "${stages.merge.model_version}"),
        ({"merge": {"sources": ["sentiment/1", MADE]}}, "${stages.merge.model_version}"),
        ({"evaluate": {"model_version": MADE}}, "${stages.evaluate.model_version}"),
    ],
)
def test_a_version_keeps_its_task_from_stage_to_stage(handed_on: dict[str, dict[str, Any]], version: str) -> None:
    with pytest.raises(Invalid, match=REFUSED):
        put({}, {"model_version": version, "precision": "int4"}, **handed_on)
    put(GENERATION, {"model_version": version, "precision": "int4"}, **handed_on)


@pytest.mark.parametrize(
    ("train", "export"),
    [
        (GENERATION, {"model_version": MADE, "precision": "int4"}),
        (GENERATION, {"model_version": MADE}),
        ({}, {"model_version": MADE}),
        ({}, {"model_version": MADE, "precision": "fp32"}),
        ({}, {"model_version": MADE, "precision": "${params.precision}"}),
        ({}, {"model_version": MADE, "precision": 4}),
        ({}, {"model_version": "sentiment/1", "precision": "int4"}),
        ({}, {"precision": "int4"}),
        ({"task": "${params.task}"}, {"model_version": MADE, "precision": "int4"}),
        ({"task": {"type": "${params.task}"}}, {"model_version": MADE, "precision": "int4"}),
        ({"task": {"type": 7}}, {"model_version": MADE, "precision": "int4"}),
        ({"task": {"type": ["text-generation"]}}, {"model_version": MADE, "precision": "int4"}),
        ({"task": "text-generation"}, {"model_version": MADE, "precision": "int4"}),
    ],
)
def test_what_fits_or_is_not_said_yet_is_taken(train: dict[str, Any], export: dict[str, Any]) -> None:
    put(train, export)


@pytest.mark.parametrize("sources", ["nothing", ["sentiment/1", "sentiment/2"], [7, None]])
def test_a_merge_of_versions_that_no_stage_made_says_no_task(sources: Any) -> None:
    put({}, {"model_version": "${stages.merge.model_version}", "precision": "int4"}, merge={"sources": sources})


def test_a_precision_by_default_is_held_against_the_task_too(monkeypatch: pytest.MonkeyPatch) -> None:
    served = {"text-classification": ("int4", "int8")}  # no task of ours is refused its default
    monkeypatch.setattr("controlplane.domain.pipeline_tasks._PRECISIONS", served)
    with pytest.raises(Invalid) as refused:
        put({}, {"model_version": MADE})
    assert refused.value.detail == "stages.export.spec.precision: fp32: expected int4 or int8 for text-classification"


@pytest.mark.parametrize("output", ["", ".model_version.adapter"])
def test_a_wrong_output_that_an_earlier_stage_leads_to_is_refused_where_it_stands(output: str) -> None:
    wrong = f"${{stages.train{output}}}"
    stages = {
        "export": {
            "kind": "export",
            "needs": ["evaluate"],
            "spec": {"model_version": "${stages.evaluate.model_version}", "precision": "int4"},
        },
        "evaluate": {"kind": "evaluate", "needs": ["train"], "spec": {"model_version": wrong}},
        "train": {"kind": "train", "spec": GENERATION},
    }
    with pytest.raises(Invalid) as refused:
        check_pipeline(PipelineSpec.model_validate({"name": "p", "stages": stages}))
    assert refused.value.detail == f"stages.evaluate: {wrong}: a train stage has the output 'model_version' only"
