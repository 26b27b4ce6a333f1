"""Pipelines (a small DAG of job templates) and triggers (an event to a pipeline)."""

import re
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from schemas.artifacts import Name
from schemas.base import Strict
from schemas.jobs import JobKind

StageName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
REFERENCE = re.compile(r"\$\{([a-z]+)\.([A-Za-z0-9_.-]+)\}")
"""`${params.x}`, `${event.data.uri}`, `${stages.<stage>.<output>}`; a value that is one reference alone keeps its type.

A job's output is called as its result's type says: `dataset` where it makes a dataset version, `model_version` where it
makes a model version or finds something out about one. A release's is `rollout`."""


class JobStage(Strict):
    """A stage that asks for a job."""

    kind: JobKind
    """The kind of job."""
    needs: tuple[StageName, ...] = ()
    """Stages that must have succeeded before; only their outputs can be read."""
    spec: dict[str, JsonValue] = {}
    """The job's spec, with `${params.x}`, `${event.data.x}` and `${stages.<stage>.<output>}`. Its kind may be left
    out."""
    max_attempts: int = Field(default=3, ge=1, le=20)
    """The job fails for good after so many that failed. Unit: attempts."""


class ReleaseStage(Strict):
    """Starts a rollout of a version on a deployment."""

    kind: Literal["release"]
    """Start a rollout."""
    needs: tuple[StageName, ...] = ()
    """Stages that must have succeeded before; only their outputs can be read."""
    deployment: str = Field(examples=["reviews"])
    """Where the version shall serve."""
    model_version: str = Field(examples=["${stages.train.model_version}"])
    """Which version: a reference to a stage's output, an id, `model/3` or `model@alias`."""


Stage = Annotated[JobStage | ReleaseStage, Field(discriminator="kind")]


EXAMPLE_STAGES: Final[dict[str, JsonValue]] = {
    "curate": {"kind": "curate", "spec": {"dataset": "reviews", "sources": [{"uri": "file:///data/reviews.csv"}]}},
    "train": {
        "kind": "train",
        "needs": ["curate"],
        "spec": {
            "model": "sentiment",
            "base_model": "file:///models/encoder",
            "dataset": "${stages.curate.dataset}",
        },
    },
    "export": {"kind": "export", "needs": ["train"], "spec": {"model_version": "${stages.train.model_version}"}},
    "release": {
        "kind": "release",
        "needs": ["export"],
        "deployment": "reviews",
        "model_version": "${stages.export.model_version}",
    },
}


class PipelineSpec(Strict):
    """A small DAG of jobs, ending in a rollout if it likes."""

    name: Name = Field(examples=["refresh"])
    """What runs and triggers call it."""
    description: str = Field(default="", max_length=500)
    """What it is for."""
    params: dict[str, JsonValue] = Field(default={}, examples=[{"uri": "file:///data/reviews.csv"}])
    """Name to default; a run may override them, and may not invent others."""
    stages: dict[StageName, Stage] = Field(min_length=1, max_length=32, examples=[EXAMPLE_STAGES])
    """Name to stage; a stage starts once those that it needs have succeeded."""

    @model_validator(mode="after")
    def _stages_form_a_dag(self) -> Self:
        for name, stage in self.stages.items():
            if missing := set(stage.needs) - set(self.stages):
                raise ValueError(f"stage {name!r} needs {sorted(missing)}, which the pipeline does not have")
        try:
            tuple(TopologicalSorter({n: s.needs for n, s in self.stages.items()}).static_order())
        except CycleError as error:
            raise ValueError(f"stages form a cycle: {' -> '.join(error.args[1])}") from error
        return self

    @model_validator(mode="after")
    def _references_can_be_resolved(self) -> Self:
        for name, stage in self.stages.items():
            for space, path in references(stage.model_dump()):
                if space == "stages" and path.split(".")[0] not in stage.needs:
                    raise ValueError(f"stage {name!r} reads ${{stages.{path}}} but does not name that stage in `needs`")
                if space == "params" and path not in self.params:
                    raise ValueError(f"stage {name!r} reads ${{params.{path}}}, which the pipeline does not declare")
                if space not in ("stages", "params", "event"):
                    raise ValueError(f"stage {name!r}: ${{{space}.…}} is not one of params, event, stages")
        return self


class TriggerSpec(Strict):
    """When an event of these types from these sources arrives, run that pipeline."""

    name: Name = Field(examples=["new-reviews"])
    """What evaluations call it."""
    pipeline: Name = Field(examples=["refresh"])
    """The pipeline that it runs."""
    types: tuple[str, ...] = Field(min_length=1, max_length=16, examples=[["com.example.rows.collected"]])
    """Exact types of events."""
    sources: tuple[str, ...] = Field(min_length=1, max_length=16, examples=[["/warehouse"]])
    """Exact sources; our own facts have the source that `graftwork status` names."""
    where: dict[str, str | int | float | bool] = Field(default={}, examples=[{"data.bucket": "reviews"}])
    """Dotted path (`data.bucket`, `subject`) to the value that it must equal. Unit: the event's own."""
    params: dict[str, JsonValue] = Field(default={}, examples=[{"uri": "${event.data.uri}"}])
    """The run's params; references into the event such as `${event.data.uri}` are allowed, and to `${event.deferred}`:
    how many events (`count`) waited before this one, and which (`events`: source, id and type of the newest 100)."""
    dedupe_key: str | None = Field(default=None, max_length=300, examples=["${event.data.digest}"])
    """A reference into the event whose same value never fires twice; null: the event's source and id."""
    debounce_seconds: float = Field(default=0, ge=0, le=86_400)
    """Wait until so long no further match has arrived; the last one fires."""
    cooldown_seconds: float = Field(default=60, ge=0)
    """So long after it fired a match does not fire; `cooldown_mode` says what becomes of it."""
    cooldown_mode: Literal["defer", "drop"] = "defer"
    """Matches within the cooldown fire at its end, once, with the newest event (`defer`), or never (`drop`)."""
    daily_budget: int = Field(default=24, ge=1)
    """It fires at most so often in a day. Unit: runs."""
    enabled: bool = True
    """Whether it fires at all."""

    @field_validator("types")
    @classmethod
    def _types_are_not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not item for item in value):
            raise ValueError("an event type may not be empty")
        return value


TriggerOutcome = Literal[
    "fired", "debouncing", "deferred", "no_trigger_matched", "source_not_accepted", "condition_not_met", "duplicate",
    "superseded", "cooldown", "budget", "loop", "disabled", "invalid",
]  # fmt: skip


def references(value: Any) -> list[tuple[str, str]]:
    """Every `${space.path}` anywhere in a JSON value, as (space, path)."""
    if isinstance(value, str):
        return [(m[1], m[2]) for m in REFERENCE.finditer(value)]
    if isinstance(value, dict):
        return [found for item in value.values() for found in references(item)]
    if isinstance(value, list | tuple):
        return [found for item in value for found in references(item)]
    return []
