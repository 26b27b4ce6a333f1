"""A pipeline run as a pure state: which stages may start now, and when the run is over."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Self, get_args, get_origin

from controlplane.domain.envelope import never_there
from controlplane.domain.pipeline_tasks import check_precision
from controlplane.domain.references import UnresolvedReference, substitute
from controlplane.errors import Invalid
from schemas.artifacts import Reference
from schemas.faults import did_you_mean, nearest
from schemas.jobs import RESULTS, SPECS, JobKind
from schemas.jobs.references import with_references
from schemas.model.references import ModelRef
from schemas.phases import FINAL_STAGE_PHASES, RunPhase, StagePhase
from schemas.pipelines import REFERENCE, JobStage, PipelineSpec, ReleaseStage, references

OUTPUT: Final = {kind: result.OUTPUT.NAME for kind, result in RESULTS.items()} | {"release": "rollout"}
"""What a stage of each kind hands to the next, as `${stages.<stage>.<output>}`."""


@dataclass(frozen=True)
class StageState:
    phase: StagePhase = "Waiting"
    job_id: str | None = None
    rollout_id: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        return cls(**document)

    def to_document(self) -> dict[str, Any]:
        return {**vars(self), "outputs": dict(self.outputs)}


@dataclass(frozen=True)
class Run:
    """Everything that decides what happens next."""

    spec: PipelineSpec
    params: Mapping[str, Any]
    event: Mapping[str, Any] | None
    stages: Mapping[str, StageState]
    cancel_requested: str | None = None
    """Why somebody asked for it."""
    phase: RunPhase = "Running"

    def with_stage(self, name: str, state: StageState) -> Self:
        return replace(self, stages={**self.stages, name: state})


@dataclass(frozen=True)
class RequestJob:
    stage: str
    kind: JobKind
    spec: dict[str, Any]
    max_attempts: int


@dataclass(frozen=True)
class Release:
    stage: str
    deployment: str
    model_version: str


@dataclass(frozen=True)
class EndStage:
    """The stage will not run."""

    stage: str
    phase: StagePhase
    reason: str


@dataclass(frozen=True)
class FinishRun:
    phase: RunPhase
    reason: str


Action = RequestJob | Release | EndStage | FinishRun


def new_stages(spec: PipelineSpec) -> dict[str, StageState]:
    return {name: StageState() for name in spec.stages}


def with_params(spec: PipelineSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """The pipeline's defaults with what was given. Raises Invalid for a param that it does not declare."""
    if unknown := sorted(set(given) - set(spec.params)):
        known = ", ".join(sorted(spec.params)) or "none"
        near = did_you_mean(nearest(unknown[0], spec.params))
        raise Invalid(f"pipeline {spec.name!r} has no param {unknown[0]!r}; it has: {known}{near}", field="params")
    return {**spec.params, **given}


def next_jobs(run: Run) -> tuple[Action, ...]:
    """What to do now. A stage is asked for once: the caller records each action as the stage's new state.

    After a failure nothing new starts; what runs is let finish, and the run fails when nothing is left.
    """
    if run.phase != "Running":
        return ()
    if stopped := _why_stopped(run):
        waiting = [name for name, state in run.stages.items() if state.phase == "Waiting"]
        phase: StagePhase = "Cancelled" if run.cancel_requested is not None else "Skipped"
        if waiting:
            return tuple(EndStage(name, phase, stopped) for name in waiting)
    else:
        ready = [name for name in run.spec.stages if _is_ready(run, name)]
        if ready:
            return tuple(_start(run, name) for name in ready)
    return _finish(run, stopped) if all(state.phase in FINAL_STAGE_PHASES for state in run.stages.values()) else ()


def _why_stopped(run: Run) -> str | None:
    if run.cancel_requested is not None:
        return run.cancel_requested or "cancelled"
    for name, state in run.stages.items():
        if state.phase in ("Failed", "Cancelled"):
            return f"stage {name!r} {state.phase.lower()}: {state.reason}".rstrip(": ")
    return None


def _is_ready(run: Run, name: str) -> bool:
    needs = run.spec.stages[name].needs
    return run.stages[name].phase == "Waiting" and all(run.stages[need].phase == "Succeeded" for need in needs)


def deployments_after(run: Run, stage: str) -> tuple[str, ...]:
    """Where the end of that stage may release to, in an order that is everybody's."""
    found = set()
    for release in run.spec.stages.values():
        if isinstance(release, ReleaseStage) and stage in release.needs:
            with suppress(UnresolvedReference):  # by an output of this very stage: none names a deployment
                found.add(str(substitute(release.deployment, _spaces(run))))
    return tuple(sorted(found))


def _spaces(run: Run) -> dict[str, Any]:
    """What references may read."""
    spaces: dict[str, Any] = {
        "params": run.params,
        "stages": {other: state.outputs for other, state in run.stages.items() if state.phase == "Succeeded"},
    }
    if run.event is not None:
        spaces["event"] = run.event
    return spaces


def _start(run: Run, name: str) -> Action:
    stage, spaces = run.spec.stages[name], _spaces(run)
    try:
        if isinstance(stage, ReleaseStage):
            deployment, version = (str(substitute(text, spaces)) for text in (stage.deployment, stage.model_version))
            return Release(name, deployment, version)
        return RequestJob(name, stage.kind, substitute(stage.spec, spaces), stage.max_attempts)
    except UnresolvedReference as error:
        return EndStage(name, "Failed", str(error))


def _finish(run: Run, stopped: str | None) -> tuple[Action, ...]:
    if run.cancel_requested is not None and stopped is not None:
        return (FinishRun("Cancelled", stopped),)
    return (FinishRun("Failed", stopped) if stopped else FinishRun("Succeeded", ""),)


# --- what can be known before a run ----------------------------------------------------------------------------------


def check_pipeline(spec: PipelineSpec) -> None:
    """Raises Invalid, naming the path, for what no run could ever do."""
    for name, stage in spec.stages.items():
        if isinstance(stage, JobStage):
            _check_fields(name, stage)
        for space, path in references(stage.model_dump()):
            if space == "stages":
                _check_output(spec, name, path)
            if space == "event" and (wrong := never_there(path)):
                raise Invalid(f"stages.{name}: ${{event.{path}}}: {wrong}", field=f"stages.{name}")
        if isinstance(stage, JobStage):
            _check_references(spec, name, stage)
            check_precision(spec, name, stage)
        else:
            _check_reference(spec, f"stages.{name}.model_version", ModelRef, stage.model_version)


def _check_fields(name: str, stage: JobStage) -> None:
    fields = SPECS[stage.kind].model_fields
    known = set(fields) - {"kind"}
    for key, value in stage.spec.items():
        if key == "kind" and value == stage.kind:
            continue
        if key not in known:
            raise Invalid(
                f"stages.{name}.spec.{key}: a {stage.kind} job has no such field; it has: {', '.join(sorted(known))}"
                f"{did_you_mean(nearest(key, known))}",
                field=f"stages.{name}.spec.{key}",
            )
        _check_choice(f"stages.{name}.spec.{key}", fields[key].annotation, value)


def _check_choice(field: str, wanted: Any, value: Any) -> None:
    """A word that is none that the field takes; what a reference stands for is seen when the job is requested."""
    if get_origin(wanted) is not Literal or not isinstance(value, str) or REFERENCE.search(value):
        return
    if value not in (choices := get_args(wanted)):
        near = did_you_mean(nearest(value, choices))
        raise Invalid(f"{field}: expected {' or '.join(map(repr, choices))}, got {value[:40]!r}{near}", field=field)


def _check_output(spec: PipelineSpec, name: str, path: str) -> None:
    source, _, output = path.partition(".")
    kind = spec.stages[source].kind
    if output != OUTPUT[kind]:
        raise Invalid(
            f"stages.{name}: ${{stages.{path}}}: a {kind} stage has the output {OUTPUT[kind]!r} only",
            field=f"stages.{name}",
        )


def _check_references(spec: PipelineSpec, name: str, stage: JobStage) -> None:
    """An output stands only where the job's spec has a reference of its type, or no reference at all."""

    def check(wanted: type[Reference], value: Any, path: str) -> Any:
        _check_reference(spec, f"stages.{name}.spec.{path}", wanted, value)
        return value

    with_references(SPECS[stage.kind], stage.spec, check)


def _check_reference(spec: PipelineSpec, field: str, wanted: type[Reference], value: Any) -> None:
    whole = REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if whole is None or whole[1] != "stages":
        return
    output = OUTPUT[spec.stages[whole[2].partition(".")[0]].kind]
    if output != wanted.NAME:
        raise Invalid(f"{field}: {value} is a {output!r}: expected a {wanted.NAME!r}", field=field)
