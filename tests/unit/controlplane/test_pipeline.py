"""A run as a pure state: order, once, failures, cancellation."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.pipeline import (
    OUTPUT,
    EndStage,
    FinishRun,
    Release,
    RequestJob,
    Run,
    StageState,
    check_pipeline,
    deployments_after,
    new_stages,
    next_jobs,
    with_params,
)
from controlplane.errors import Invalid
from schemas.jobs import JOB_KINDS, SPECS
from schemas.phases import FINAL_STAGE_PHASES
from schemas.pipelines import PipelineSpec
from tests.support.builders.specs import frozen_head

SPEC = PipelineSpec.model_validate(
    {
        "name": "reviews",
        "params": {"rows": 500},
        "stages": {
            "curate": {"kind": "curate", "spec": {"dataset": "reviews", "seed": "${params.rows}"}},
            "train": {"kind": "train", "needs": ["curate"], "spec": {"dataset": "${stages.curate.dataset}"}},
            "export": {
                "kind": "export",
                "needs": ["train"],
                "spec": {"model_version": "${stages.train.model_version}"},
            },
            "evaluate": {
                "kind": "evaluate",
                "needs": ["export", "curate"],
                "spec": {"model_version": "${stages.export.model_version}", "dataset": "${stages.curate.dataset}"},
            },
            "attack": {
                "kind": "attack",
                "needs": ["export"],
                "spec": {"model_version": "${stages.export.model_version}"},
            },
            "release": {
                "kind": "release",
                "needs": ["evaluate", "attack"],
                "deployment": "reviews",
                "model_version": "${stages.evaluate.model_version}",
            },
        },
    }
)


def begin(spec: PipelineSpec = SPEC, **values: Any) -> Run:
    return Run(spec=spec, params=spec.params, event=None, stages=new_stages(spec), **values)


def record(run: Run, action: object) -> Run:
    match action:
        case RequestJob():
            return run.with_stage(action.stage, StageState(phase="Running", job_id=f"job-{action.stage}"))
        case Release():
            return run.with_stage(action.stage, StageState(phase="Running", rollout_id="rollout"))
        case EndStage():
            return run.with_stage(action.stage, StageState(phase=action.phase, reason=action.reason))
        case FinishRun():
            return replace(run, phase=action.phase)
    raise AssertionError(action)


def settle(run: Run, asked: list[object] | None = None) -> Run:
    while actions := next_jobs(run):
        for action in actions:
            run = record(run, action)
            if asked is not None:
                asked.append(action)
    return run


def end(run: Run, stage: str, phase: Any, reason: str = "") -> Run:
    outputs = {OUTPUT[run.spec.stages[stage].kind]: f"{stage}-made"} if phase == "Succeeded" else {}
    return run.with_stage(stage, replace(run.stages[stage], phase=phase, outputs=outputs, reason=reason))


def running(run: Run) -> list[str]:
    return [name for name, state in run.stages.items() if state.phase == "Running"]


def test_stages_start_when_what_they_need_has_succeeded() -> None:
    run, order = settle(begin()), []
    while names := running(run):
        order.append(names)
        for name in names:
            run = end(run, name, "Succeeded")
        run = settle(run)
    assert order == [["curate"], ["train"], ["export"], ["evaluate", "attack"], ["release"]]
    assert run.phase == "Succeeded"


def test_a_stage_gets_what_the_stages_before_it_made_and_params_with_their_type() -> None:
    asked: list[object] = []
    run = settle(begin(), asked)
    settle(end(run, "curate", "Succeeded"), asked)
    assert asked == [
        RequestJob("curate", "curate", {"dataset": "reviews", "seed": 500}, 3),
        RequestJob("train", "train", {"dataset": "curate-made"}, 3),
    ]


def test_after_a_failure_nothing_new_starts_and_the_run_ends_when_nothing_is_left() -> None:
    run = settle(begin())
    for name in ("curate", "train", "export"):
        run = settle(end(run, name, "Succeeded"))
    run = settle(end(run, "evaluate", "Failed", "out of memory"))
    assert running(run) == ["attack"]
    assert run.phase == "Running"
    assert run.stages["release"].phase == "Skipped"
    asked: list[object] = []
    run = settle(end(run, "attack", "Succeeded"), asked)
    assert asked == [FinishRun("Failed", "stage 'evaluate' failed: out of memory")]


def test_a_reference_that_names_nothing_fails_the_run_with_the_reason() -> None:
    stage = {"kind": "curate", "spec": {"dataset": "${event.data.name}"}}
    spec = PipelineSpec.model_validate({"name": "p", "stages": {"a": stage}})
    asked: list[object] = []
    run = settle(replace(begin(spec), event={"data": {}}), asked)
    assert run.phase == "Failed"
    assert asked[-1] == FinishRun(
        "Failed",
        "stage 'a' failed: ${event.data.name} cannot be resolved: event.data has no 'name' (it has: nothing)",
    )


def test_a_run_without_an_event_says_so() -> None:
    stage = {"kind": "curate", "spec": {"dataset": "${event.data.name}"}}
    run = settle(begin(PipelineSpec.model_validate({"name": "p", "stages": {"a": stage}})))
    assert "there is no 'event' here" in run.stages["a"].reason


def test_a_cancelled_run_waits_for_what_runs() -> None:
    run = settle(replace(settle(begin()), cancel_requested="cancelled by eve: wrong data"))
    assert run.phase == "Running"
    assert {s.phase for name, s in run.stages.items() if name != "curate"} == {"Cancelled"}
    asked: list[object] = []
    settle(end(run, "curate", "Cancelled", "its job was cancelled"), asked)
    assert asked == [FinishRun("Cancelled", "cancelled by eve: wrong data")]


@st.composite
def pipelines(draw: st.DrawFn) -> PipelineSpec:
    names = [f"s{n}" for n in range(draw(st.integers(1, 7)))]
    stages = {
        name: {"kind": "curate", "needs": draw(st.lists(st.sampled_from(names[:n]), unique=True)) if n else []}
        for n, name in enumerate(names)
    }
    return PipelineSpec.model_validate({"name": "p", "stages": stages})


@given(pipelines(), st.data())
def test_no_stage_is_asked_for_twice_and_every_run_ends(spec: PipelineSpec, data: st.DataObject) -> None:
    asked: list[object] = []
    run = settle(begin(spec), asked)
    while names := running(run):
        name = data.draw(st.sampled_from(names))
        run = end(run, name, data.draw(st.sampled_from(["Succeeded", "Succeeded", "Failed", "Cancelled"])), "why")
        if data.draw(st.booleans()) and run.cancel_requested is None and data.draw(st.booleans()):
            run = replace(run, cancel_requested="enough")
        run = settle(run, asked)
    requested = Counter(action.stage for action in asked if isinstance(action, RequestJob))
    assert set(requested.values()) <= {1}
    assert sum(isinstance(action, FinishRun) for action in asked) == 1
    assert all(state.phase in FINAL_STAGE_PHASES for state in run.stages.values())
    assert next_jobs(run) == ()
    for name in requested:
        stage = run.spec.stages[name]
        assert all(run.stages[need].phase == "Succeeded" for need in stage.needs)


@given(pipelines())
def test_looking_again_without_recording_changes_nothing(spec: PipelineSpec) -> None:
    run = begin(spec)
    assert next_jobs(run) == next_jobs(run)
    assert all(state.phase == "Waiting" for state in run.stages.values())


def test_a_stage_as_a_document_is_the_same_stage() -> None:
    state = StageState("Succeeded", job_id="j", outputs={"dataset": "d"}, reason="r")
    assert StageState.from_document(state.to_document()) == state


def test_every_kind_has_a_spec_and_an_output() -> None:
    assert set(SPECS) == set(JOB_KINDS)
    assert set(OUTPUT) == {*JOB_KINDS, "release"}
    assert {kind for kind, name in OUTPUT.items() if name == "dataset"} == {"curate"}
    assert OUTPUT["release"] == "rollout"


def test_params_that_the_pipeline_does_not_declare_are_refused() -> None:
    assert with_params(SPEC, {"rows": 3}) == {"rows": 3}
    assert with_params(SPEC, {}) == {"rows": 500}
    several = SPEC.model_copy(update={"params": {"rows": 500, "limit": 7}})
    with pytest.raises(Invalid, match=r"has no param 'epochs'; it has: limit, rows$"):
        with_params(several, {"epochs": 3})
    with pytest.raises(Invalid, match=r"has no param 'row'; it has: limit, rows; did you mean 'rows'\?$"):
        with_params(several, {"row": 3})


def test_a_pipeline_without_params_says_so() -> None:
    nothing = PipelineSpec.model_validate({"name": "p", "stages": {"a": {"kind": "curate"}}})
    with pytest.raises(Invalid) as refused:
        with_params(nothing, {"y": 1, "x": 1})
    assert (refused.value.detail, refused.value.field) == ("pipeline 'p' has no param 'x'; it has: none", "params")


CURATE_FIELDS, TRAIN_FIELDS = (
    ", ".join(sorted(set(SPECS[kind].model_fields) - {"kind"})) for kind in ("curate", "train")
)


@pytest.mark.parametrize(
    ("stages", "said", "field"),
    [
        (
            {"a": {"kind": "curate", "spec": {"kind": "curate", "modell": "x"}}},
            f"stages.a.spec.modell: a curate job has no such field; it has: {CURATE_FIELDS}",
            "stages.a.spec.modell",
        ),
        (
            {"a": {"kind": "curate", "spec": {"kind": "train"}}},
            f"stages.a.spec.kind: a curate job has no such field; it has: {CURATE_FIELDS}",
            "stages.a.spec.kind",
        ),
        (
            {"a": {"kind": "train", "spec": {"modell": "x"}}},
            f"stages.a.spec.modell: a train job has no such field; it has: {TRAIN_FIELDS}; did you mean 'model'?",
            "stages.a.spec.modell",
        ),
        (
            {"a": {"kind": "export", "spec": {"precision": "int5"}}},
            "stages.a.spec.precision: expected 'fp32' or 'int4', got 'int5'; did you mean 'int4'?",
            "stages.a.spec.precision",
        ),
        (
            {"a": {"kind": "export", "spec": {"precision": "x" * 50}}},
            f"stages.a.spec.precision: expected 'fp32' or 'int4', got '{'x' * 40}'",
            "stages.a.spec.precision",
        ),
        (
            {"a": {"kind": "curate", "spec": {"dataset": "${event.dat.name}"}}},
            "stages.a: ${event.dat.name}: an event has no 'dat'; expected one of data, deferred; did you mean 'data'?",
            "stages.a",
        ),
        (
            {"a": {"kind": "curate"}, "b": {"kind": "train", "needs": ["a"], "spec": {"dataset": "${stages.a.model}"}}},
            "stages.b: ${stages.a.model}: a curate stage has the output 'dataset' only",
            "stages.b",
        ),
        (
            {"a": {"kind": "curate"}, "b": {"kind": "train", "needs": ["a"], "spec": {"dataset": "${stages.a.b.c}"}}},
            "stages.b: ${stages.a.b.c}: a curate stage has the output 'dataset' only",
            "stages.b",
        ),
        (
            {
                "a": {"kind": "train"},
                "b": {"kind": "release", "needs": ["a"], "deployment": "d", "model_version": "${stages.a.dataset}"},
            },
            "stages.b: ${stages.a.dataset}: a train stage has the output 'model_version' only",
            "stages.b",
        ),
        (
            {
                "a": {"kind": "train"},
                "b": {"kind": "train", "needs": ["a"], "spec": {"dataset": "${stages.a.model_version}"}},
            },
            "stages.b.spec.dataset: ${stages.a.model_version} is a 'model_version': expected a 'dataset'",
            "stages.b.spec.dataset",
        ),
        (
            {
                "a": {"kind": "curate"},
                "b": {
                    "kind": "train",
                    "needs": ["a"],
                    "spec": {"task": frozen_head("${stages.a.dataset}")},
                },
            },
            "stages.b.spec.task.head.model_version: ${stages.a.dataset} is a 'dataset': expected a 'model_version'",
            "stages.b.spec.task.head.model_version",
        ),
        (
            {
                "a": {"kind": "curate"},
                "b": {"kind": "merge", "needs": ["a"], "spec": {"sources": ["sentiment/1", "${stages.a.dataset}"]}},
            },
            "stages.b.spec.sources.1.model_version: ${stages.a.dataset} is a 'dataset': expected a 'model_version'",
            "stages.b.spec.sources.1.model_version",
        ),
        (
            {
                "a": {"kind": "curate"},
                "b": {"kind": "release", "needs": ["a"], "deployment": "d", "model_version": "${stages.a.dataset}"},
            },
            "stages.b.model_version: ${stages.a.dataset} is a 'dataset': expected a 'model_version'",
            "stages.b.model_version",
        ),
    ],
)
def test_what_no_run_could_do_is_refused_with_its_path(stages: dict[str, Any], said: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_pipeline(PipelineSpec.model_validate({"name": "p", "stages": stages}))
    assert (refused.value.detail, refused.value.field) == (said, field)


def test_what_a_run_could_do_is_taken() -> None:
    check_pipeline(SPEC)
    check_pipeline(
        PipelineSpec.model_validate({"name": "p", "stages": {"a": {"kind": "merge", "spec": {"kind": "merge"}}}})
    )


def releasing(deployments: dict[str, str]) -> Run:
    """Two stages, and a release to each of these deployments after the second."""
    release = {"kind": "release", "needs": ["train"], "model_version": "${stages.train.model_version}"}
    stages = {"curate": {"kind": "curate"}, "train": {"kind": "train", "needs": ["curate"]}}
    spec = PipelineSpec.model_validate(
        {
            "name": "p",
            "params": {"to": "reviews"},
            "stages": stages | {name: {**release, "deployment": to} for name, to in deployments.items()},
        }
    )
    return begin(spec)


def test_the_deployments_that_a_stages_end_may_release_to_are_known_in_one_order() -> None:
    run = releasing(
        {"z": "zeta", "a": "${params.to}", "b": "alpha", "c": "alpha", "d": "${stages.train.model_version}"}
    )
    assert deployments_after(run, "train") == ("alpha", "reviews", "zeta")
    assert deployments_after(run, "curate") == ()
    assert deployments_after(replace(run, params={"to": 7}), "train") == ("7", "alpha", "zeta")
    named_by_the_event = releasing({"a": "${event.data.deployment}"})
    assert deployments_after(named_by_the_event, "train") == ()
    with_event = replace(named_by_the_event, event={"data": {"deployment": "reviews"}})
    assert deployments_after(with_event, "train") == ("reviews",)


def test_a_release_asks_for_its_deployment_and_version_as_text() -> None:
    run = end(end(settle(releasing({"a": "${params.to}"})), "curate", "Succeeded"), "train", "Succeeded")
    assert next_jobs(replace(run, params={"to": 7})) == (Release("a", "7", "train-made"),)


def test_a_run_that_was_cancelled_without_a_word_is_cancelled_all_the_same() -> None:
    run = settle(replace(begin(), cancel_requested=""))
    assert run.phase == "Cancelled"
    assert {(state.phase, state.reason) for state in run.stages.values()} == {("Cancelled", "cancelled")}


@pytest.mark.parametrize(
    ("phase", "reason", "said"),
    [
        ("Failed", "", "stage 'curate' failed"),
        ("Failed", "no rows: none", "stage 'curate' failed: no rows: none"),
        ("Failed", "no GPU is an RTX", "stage 'curate' failed: no GPU is an RTX"),
        ("Cancelled", "", "stage 'curate' cancelled"),
    ],
)
def test_a_run_says_which_stage_stopped_it(phase: Any, reason: str, said: str) -> None:
    asked: list[object] = []
    run = settle(end(settle(begin()), "curate", phase, reason), asked)
    assert asked[-1] == FinishRun("Failed", said)
    assert {state.reason for name, state in run.stages.items() if name != "curate"} == {said}
    assert {state.phase for name, state in run.stages.items() if name != "curate"} == {"Skipped"}


def test_a_run_that_is_over_asks_for_nothing_and_a_good_end_has_no_reason() -> None:
    spec = PipelineSpec.model_validate({"name": "p", "stages": {"a": {"kind": "curate", "max_attempts": 7}}})
    run = begin(spec)
    assert next_jobs(run) == (RequestJob("a", "curate", {}, 7),)
    assert next_jobs(replace(run, phase="Cancelled")) == ()
    assert next_jobs(end(run, "a", "Succeeded")) == (FinishRun("Succeeded", ""),)
