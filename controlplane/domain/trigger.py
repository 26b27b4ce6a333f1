"""What one trigger answers to one event, as far as the event, the trigger and its past can say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from controlplane.domain.canonical import digest
from controlplane.domain.envelope import never_there
from controlplane.domain.pipeline import with_params
from controlplane.domain.references import ABSENT, UnresolvedReference, find, substitute
from controlplane.errors import Invalid
from schemas.cloudevent import OUR_PREFIX
from schemas.facts import BY_TYPE
from schemas.faults import did_you_mean, nearest
from schemas.pipelines import PipelineSpec, TriggerOutcome, TriggerSpec, references

DAY = timedelta(hours=24)
LONGEST_KEY = 300
MOST_DEFERRED = 100
"""Deferred events that a run names, the newest; all are counted."""
CHANGE_WHERE: Final = "if it should fire, change the event or the trigger's `where`"
WAITING: Final = ("debouncing", "deferred")
"""Answers that are no last word: the trigger fires at their `due_at`."""


@dataclass(frozen=True)
class Answer:
    outcome: TriggerOutcome
    reason: str
    dedupe_key: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    """The run's, when it fires."""


@dataclass(frozen=True)
class Refusal(Answer):
    until: datetime | None = None
    """When a deferred trigger fires."""


@dataclass(frozen=True)
class Pace:
    """How often a trigger has fired."""

    now: datetime
    last_fired: datetime | None
    fired_in_a_day: int


def match(spec: TriggerSpec, event: Mapping[str, Any]) -> Answer:
    """Whether this event alone lets the trigger fire (`fired`, or `debouncing` when it waits for more)."""
    if not spec.enabled:
        return Answer(
            "disabled",
            f"trigger {spec.name!r} is disabled; set `enabled: true` and apply it, then send the event again",
        )
    if event["source"] not in spec.sources:
        return Answer(
            "source_not_accepted",
            f"source {_short(event['source'])} is not one of {', '.join(spec.sources)}; `sources` lists those that may",
        )
    for path, wanted in spec.where.items():
        found = find(event, path)
        if found is ABSENT:
            return Answer("condition_not_met", f"{path} is not there, expected {_short(wanted)}; {CHANGE_WHERE}")
        if not _equal(found, wanted):
            return Answer("condition_not_met", f"{path} is {_short(found)}, expected {_short(wanted)}; {CHANGE_WHERE}")
    return _resolved(spec, event)


def _resolved(spec: TriggerSpec, event: Mapping[str, Any]) -> Answer:
    spaces = {"event": event}
    try:
        own = f"{event['source']} {event['id']}"
        key = _as_key(own if spec.dedupe_key is None else substitute(spec.dedupe_key, spaces))
        params = substitute(spec.params, spaces)
    except UnresolvedReference as error:
        return Answer("invalid", f"{error}; correct the event, or the trigger's `params` and `dedupe_key`")
    if spec.debounce_seconds:
        return Answer("debouncing", f"waits {spec.debounce_seconds:g} s for a later match", key, params)
    return Answer("fired", "", key, params)


def with_deferred(event: Mapping[str, Any], earlier: Mapping[str, Any] | None) -> dict[str, Any]:
    """The event as a run sees it: `deferred` counts and names those that waited before it for the same run.

    `earlier` is the one that waited so far, with those that it had gathered itself.
    """
    if earlier is None:
        return {**event, "deferred": {"count": 0, "events": []}}
    gathered = earlier["deferred"]
    events = [*gathered["events"], {name: earlier[name] for name in ("source", "id", "type")}]
    return {**event, "deferred": {"count": gathered["count"] + 1, "events": events[-MOST_DEFERRED:]}}


def pace_refusal(spec: TriggerSpec, pace: Pace) -> Refusal | None:
    """Cooldown, then the budget of the last 24 hours; None when neither stands in the way."""
    if pace.last_fired is not None:
        until = pace.last_fired + timedelta(seconds=spec.cooldown_seconds)
        left = (until - pace.now).total_seconds()
        if left > 0:
            return _cooling(spec, left, until)
    if pace.fired_in_a_day >= spec.daily_budget:
        return Refusal(
            "budget",
            f"fired {pace.fired_in_a_day} times in 24 hours, the budget is {spec.daily_budget}; "
            f"raise `daily_budget` and send the event again, or start the pipeline {spec.pipeline!r} by hand",
        )
    return None


def _cooling(spec: TriggerSpec, left: float, until: datetime) -> Refusal:
    why = f"fired less than {spec.cooldown_seconds:g} s ago; {left:.0f} s are left"
    if spec.cooldown_mode == "defer":
        return Refusal(
            "deferred", f"{why}: fires then, once, with the newest event; nothing is to be done", until=until
        )
    return Refusal(
        "cooldown", f"{why}; send the event again afterwards, or set `cooldown_mode: defer` to fire at its end"
    )


def check_trigger(spec: TriggerSpec, pipeline: PipelineSpec) -> None:
    """Raises Invalid for what could never fire."""
    with_params(pipeline, spec.params)
    for name in spec.types:
        if name.startswith(OUR_PREFIX) and name not in BY_TYPE:
            raise Invalid(f"there is no fact {name!r}{did_you_mean(nearest(name, BY_TYPE))}", field="types")
    for name, value in spec.params.items():
        _check_read(f"params.{name}", value, spec.types)
    _check_read("dedupe_key", spec.dedupe_key, spec.types)
    for path in spec.where:
        if wrong := never_there(path, spec.types):
            raise Invalid(f"{path}: {wrong}", field="where")


def _check_read(place: str, value: Any, types: Sequence[str]) -> None:
    for space, path in references(value):
        if space != "event":
            raise Invalid(f"${{{space}.{path}}}: a trigger may read ${{event.…}} only", field=place)
        if wrong := never_there(path, types):
            raise Invalid(f"${{event.{path}}}: {wrong}", field=place)


def _equal(found: Any, wanted: Any) -> bool:
    """JSON equality: `true` is not 1."""
    return isinstance(found, bool) == isinstance(wanted, bool) and bool(found == wanted)


def _as_key(value: Any) -> str:
    """A key that an index can hold."""
    return value if isinstance(value, str) and len(value) <= LONGEST_KEY else digest(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
