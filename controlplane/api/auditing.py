"""Which requests the audit log has an entry of, how each is named, and what is told of it.

One place for all: `Call.write` notes what was done in the transaction of its effect, the handlers of refusals note what
was refused in one of their own. No endpoint writes an entry by itself.
"""

import json
import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from fastapi import Request

from controlplane.commands.spine import audit
from controlplane.commands.spine.tokens import Principal
from controlplane.domain.audit import legible
from controlplane.store.database import Database
from controlplane.store.unit_of_work import UnitOfWork
from processes.sign_ins import network_of
from schemas.views.audit import AuditNote

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Action:
    """How an entry names what was asked for."""

    name: str
    subject: str
    """As `rollout/{rollout_id}`; a name that the path does not have is a field of the answer: the thing is new."""
    instead: str | None = None
    """The subject of a refusal to make a new thing: what it would have been made of."""

    def subject_of(self, known: Mapping[str, Any], *, refused: bool = False) -> str:
        """The noun alone where a name is not known: what was refused was never made."""
        template = self.instead if refused and self.instead else self.subject
        try:
            return template.format_map(known)
        except KeyError:
            return self.subject.partition("/")[0]


AUDITED: Final[dict[str, Action]] = {
    "POST /v1/tokens": Action("token.create", "token/{id}"),
    "DELETE /v1/tokens/{token_id}": Action("token.revoke", "token/{token_id}"),
    "POST /v1/events": Action("event.publish", "event/{id}"),
    "POST /v1/jobs": Action("job.request", "job/{id}"),
    "POST /v1/jobs/{job_id}:cancel": Action("job.cancel", "job/{job_id}"),
    "POST /v1/jobs/{job_id}:retry": Action("job.retry", "job/{id}", instead="job/{job_id}"),
    "PUT /v1/models/{name}/aliases/{alias}": Action("alias.set", "alias/{name}@{alias}"),
    "DELETE /v1/models/{name}/aliases/{alias}": Action("alias.remove", "alias/{name}@{alias}"),
    "PUT /v1/deployments/{name}": Action("deployment.apply", "deployment/{name}"),
    "POST /v1/deployments/{name}:rollback": Action("deployment.rollback", "deployment/{name}"),
    "POST /v1/deployments/{name}:resume": Action("deployment.resume", "deployment/{name}"),
    "POST /v1/deployments/{name}:hold": Action("deployment.hold", "deployment/{name}"),
    "POST /v1/deployments/{name}:release-hold": Action("deployment.release-hold", "deployment/{name}"),
    "POST /v1/rollouts": Action("rollout.start", "rollout/{id}", instead="deployment/{deployment}"),
    "POST /v1/rollouts/{rollout_id}:pause": Action("rollout.pause", "rollout/{rollout_id}"),
    "POST /v1/rollouts/{rollout_id}:resume": Action("rollout.resume", "rollout/{rollout_id}"),
    "POST /v1/rollouts/{rollout_id}:promote": Action("rollout.promote", "rollout/{rollout_id}"),
    "POST /v1/rollouts/{rollout_id}:abort": Action("rollout.abort", "rollout/{rollout_id}"),
    "POST /v1/rollouts/{rollout_id}:hold": Action("rollout.hold", "rollout/{rollout_id}"),
    "POST /v1/rollouts/{rollout_id}:release-hold": Action("rollout.release-hold", "rollout/{rollout_id}"),
    "PUT /v1/pipelines/{name}": Action("pipeline.apply", "pipeline/{name}"),
    "POST /v1/pipelines/{name}:run": Action("pipeline.run", "run/{id}", instead="pipeline/{name}"),
    "POST /v1/pipeline-runs/{run_id}:cancel": Action("run.cancel", "run/{run_id}"),
    "PUT /v1/triggers/{name}": Action("trigger.apply", "trigger/{name}"),
    "DELETE /v1/triggers/{name}": Action("trigger.delete", "trigger/{name}"),
    "POST /v1/dead-letters/{letter_id}:replay": Action("dead-letter.replay", "dead-letter/{letter_id}"),
    "POST /v1/dead-letters/{letter_id}:discard": Action("dead-letter.discard", "dead-letter/{letter_id}"),
}
"""Method and path to what a person or a token does there: an entry for each success and each refusal."""
MACHINES: Final = frozenset({
    "POST /v1/jobs:claim",
    "POST /v1/jobs/{job_id}:heartbeat",
    "POST /v1/jobs/{job_id}:complete",
    "POST /v1/jobs/{job_id}:fail",
    "POST /v1/jobs/{job_id}:release",
    "POST /v1/gateway/boots",
    "POST /v1/gateway/reports",
    "POST /v1/gateway/observations",
    "POST /v1/gateway/lost-units",
    "POST /v1/feedback",
})  # fmt: skip
"""The traffic of machines: facts and rows tell of it. Only a caller without the right to it gets an entry."""
TOLD: Final = frozenset({
    "alias", "deployment", "force", "hold", "kind", "max_attempts", "model", "model_version", "name", "revision",
    "role", "target", "waive_gates",
})  # fmt: skip
"""Members of a request's body that an entry repeats. Rows, labels, events and specs are not among them."""
NOUNS: Final = {
    "job_id": "job",
    "run_id": "run",
    "rollout_id": "rollout",
    "letter_id": "dead-letter",
    "token_id": "token",
}
"""A name in a path to the noun of the subject that it names, for the routes that are in no table."""
READS: Final = ("GET", "HEAD")
EXACT: Final = 2**53
"""Beyond it, and for NaN, a number is kept as text: JSON's readers disagree."""
REQUEST_ID: Final = re.compile(r"[\w.:-]{1,100}", re.ASCII)
NEVER_NOTED: Final = frozenset({429})
"""Statuses whose refusals have no audit entry: who guesses tokens has entries of his first refusals already."""


class RefusalPace:
    """So many refusals a minute of one caller and action have an entry of their own; the next entry counts the others.

    A worker with a revoked token asks every second for ever: the log must not grow by that.
    """

    def __init__(self, per_minute: int = 30, max_tracked: int = 10_000) -> None:
        self._per_minute = per_minute
        self._max_tracked = max_tracked
        self._windows: OrderedDict[str, tuple[float, int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, key: str, now: float | None = None) -> int | None:
        """None: no entry for this one. Else how many went without since the last."""
        moment = time.monotonic() if now is None else now
        with self._lock:
            begun, admitted, suppressed = self._windows.pop(key, (moment, 0, 0))
            if moment - begun >= 60:
                begun, admitted = moment, 0
            full = admitted >= self._per_minute
            self._windows[key] = (begun, admitted, suppressed + 1) if full else (begun, admitted + 1, 0)
            if len(self._windows) > self._max_tracked:
                self._windows.popitem(last=False)
        return None if full else suppressed


def route_of(request: Request) -> str:
    """As `PUT /v1/deployments/{name}`."""
    return f"{request.method} {request.scope['route'].path_format}"


def action_of(request: Request) -> Action | None:
    """None for reads and for the traffic of machines. What is in no table is audited under its path."""
    route = route_of(request)
    if request.method in READS or route in MACHINES:
        return None
    return AUDITED.get(route) or _unnamed(route)


@dataclass
class Watch:
    """One request that changes something: the look before, and the entry after."""

    request: Request
    principal: Principal
    action: Action
    before: dict[str, Any] | None = None

    def begin(self, uow: UnitOfWork) -> None:
        """Read what will be changed; it stays locked until the transaction ends."""
        subject = audit.in_full(uow.session, self.action.subject_of(self.request.path_params))
        self.before = audit.look(uow.session, subject, lock=True)

    def end(self, uow: UnitOfWork, status: int, body: Any) -> None:
        """Note what was changed. `body` is the answer: a new thing's name is there."""
        answered = body if isinstance(body, Mapping) else getattr(body, "__dict__", {})
        subject = legible(audit.in_full(uow.session, self.action.subject_of({**answered, **self.request.path_params})))
        changes = audit.changed(uow.session, self.before, subject)
        uow.note(_note(self.request, self.principal, self.action, subject, status, outcome="done", changes=changes))


def note_refusal(request: Request, status: int, detail: str) -> None:
    """Keep that somebody was refused, in a transaction of its own. Whatever happens here, the refusal is answered."""
    if (action := _refused_action(request, status)) is None:
        return
    principal = getattr(request.state, "principal", None)
    who = str(principal.id) if principal else network_of(_address(request))
    suppressed = request.app.state.site.refusals.admit(f"{who} {action.name}")
    if suppressed is None:
        return
    subject = legible(action.subject_of({**_asked_in_text(request), **request.path_params}, refused=True))
    told = {"outcome": "refused", "detail": legible(detail), "suppressed": suppressed}
    note = _note(request, principal, action, subject, status, **told)
    database: Database = request.app.state.site.database
    try:
        with database.begin(note.actor) as uow:
            uow.note(_resolved(uow, note))
    except Exception as error:
        logger.error("a refusal of %s could not be audited: %s", action.name, type(error).__name__)


def _resolved(uow: UnitOfWork, note: AuditNote) -> AuditNote:
    """What was refused stands there by the ids that are found, beside the words that the caller wrote."""
    request = dict(note.request)
    asked = request.get("model_version")
    if isinstance(asked, str) and (found := audit.version_in_full(uow.session, asked)):
        request["model_version_id"] = found
    return note.model_copy(update={"subject": audit.in_full(uow.session, note.subject), "request": request})


def request_id_of(request: Request) -> str:
    """The caller's `X-Request-Id` where it is a plain word, else one of ours; the same during the whole request."""
    if (known := getattr(request.state, "request_id", None)) is None:
        given = request.headers.get("x-request-id", "")
        known = request.state.request_id = given if REQUEST_ID.fullmatch(given) else str(uuid4())
    return str(known)


def _refused_action(request: Request, status: int) -> Action | None:
    """What a refusal is an entry of; None: of nothing. Reads and machine traffic count when the right was missing."""
    needed = getattr(request.state, "needed", None)
    if needed is None or not 400 <= status < 500 or status in NEVER_NOTED:
        return None
    if action := action_of(request):
        return action
    privileged = request.method not in READS or "viewer" not in needed
    if status == 403 or (status == 401 and privileged):
        return _unnamed(route_of(request))
    return None


def _unnamed(route: str) -> Action:
    noun = route.split("/")[2].partition(":")[0] if route.count("/") > 1 else route.split("/")[1]
    subject = next((f"{NOUNS[name]}/{{{name}}}" for name in NOUNS if f"{{{name}}}" in route), noun)
    return Action(route, subject)


def _note(
    request: Request, principal: Principal | None, action: Action, subject: str, status: int, **more: Any
) -> AuditNote:
    asked = _asked(request)
    reason = asked.get("reason") or asked.get("waive_gates") or request.query_params.get("reason")
    return AuditNote(
        **audit.by(principal),
        address=_address(request),
        action=action.name,
        subject=subject,
        status=status,
        reason=legible(reason) if isinstance(reason, str) else None,
        request={key: _in_short(asked[key]) for key in sorted(TOLD & asked.keys()) if asked[key] is not None},
        request_id=request_id_of(request),
        **more,
    )


def _asked(request: Request) -> dict[str, Any]:
    """The members of a JSON body; nothing of a body that is none."""
    try:
        value = json.loads(getattr(request.state, "body", b"") or b"null")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _asked_in_text(request: Request) -> dict[str, str]:
    """Those members of the body that an audit entry repeats and that are texts: they may name its subject."""
    asked = _asked(request)
    return {name: asked[name] for name in TOLD & asked.keys() if isinstance(asked[name], str) and asked[name]}


def _in_short(value: Any) -> Any:
    """Scalars only: a document where a word was expected may hold anything."""
    if isinstance(value, bool) or (isinstance(value, int | float) and abs(value) <= EXACT):
        return value
    return legible(str(value)) if isinstance(value, str | int | float) else type(value).__name__


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None
