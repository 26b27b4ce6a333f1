"""What an endpoint has at hand: who calls, one unit of work, and the answer that a retry gets again."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, TypeAdapter
from sqlmodel import Session

from controlplane.api.auditing import RefusalPace, Watch, action_of, request_id_of
from controlplane.api.feed import Feed
from controlplane.api.problems import is_json
from controlplane.commands.spine.idempotency import Attempt, keep_answer, take_key
from controlplane.commands.spine.tokens import Principal, authenticate
from controlplane.domain.document import refuse_unstorable
from controlplane.domain.roles import INCLUDES, may, whoever_may
from controlplane.errors import Forbidden, TooManyFailures, Unauthorized
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.unit_of_work import UnitOfWork
from processes.sign_ins import FailedSignIns
from schemas.roles import Role

ANY = TypeAdapter(Any)
BEARER = HTTPBearer(scheme_name="token", description="`graftwork token create` mints one.", auto_error=False)


@dataclass
class Site:
    """What one API process is made of; kept on `app.state.site`."""

    settings: Settings
    database: Database
    feed: Feed
    failed_sign_ins: FailedSignIns
    refusals: RefusalPace = field(default_factory=RefusalPace)


@dataclass(frozen=True)
class Reply:
    """An answer that needs more than a body."""

    body: BaseModel | list[Any] | dict[str, Any] | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


Effect = Callable[[UnitOfWork], Any]


@dataclass(frozen=True)
class Call:
    """One authorised request."""

    principal: Principal
    site: Site
    request: Request
    idempotency_key: str | None

    def read(self) -> AbstractContextManager[Session]:
        return self.site.database.read()

    async def gone(self) -> None:
        """Returns when the caller has hung up."""
        while (await self.request.receive())["type"] != "http.disconnect":
            pass

    def write(self, effect: Effect, *, status: int = 200, secret: bool = False) -> Response:
        """Run one command in one unit of work and answer what it returns (a model, JSON, a Reply or None → 204).

        With an Idempotency-Key the stored answer wins over every precondition: a retried winner must not get 412.
        An answer with a secret is never stored, so such a call may not carry a key's promise.
        """
        attempt = None if secret else self._attempt()
        with self.site.database.begin(self.principal.name) as uow:
            if attempt and (row := take_key(uow, attempt)):
                return self._response(row.status, {**row.headers, "idempotent-replayed": "true"}, row.body)
            reply, code = self._audited(uow, effect, status)
            body = "" if reply.body is None else ANY.dump_json(reply.body).decode()
            if attempt:
                keep_answer(uow, attempt, code, reply.headers, body)
            return self._response(code, reply.headers, body)

    def _audited(self, uow: UnitOfWork, effect: Effect, status: int) -> tuple[Reply, int]:
        """The effect's reply and its status. What a person or a token changes has an entry in the audit log."""
        action = action_of(self.request)
        watch = Watch(self.request, self.principal, action) if action else None
        if watch:
            watch.begin(uow)
        reply = effect(uow)
        if not isinstance(reply, Reply):
            reply = Reply(reply)
        code = reply.status or (204 if reply.body is None else status)
        if watch:
            watch.end(uow, code, reply.body)
        return reply, code

    def _attempt(self) -> Attempt | None:
        if self.idempotency_key is None:
            return None
        route = f"{self.request.method} {self.request.url.path}"
        return Attempt(str(self.principal.id), route, self.idempotency_key, self.request.state.body)

    def _response(self, status: int, headers: dict[str, str], body: str) -> Response:
        headers = {**headers, "x-request-id": request_id_of(self.request)}
        return Response(body or None, status, headers, "application/json" if body else None)


def authorise(*roles: Role) -> Callable[..., Call]:
    """A dependency that answers a Call for whoever may act as one of these roles: 401 without, 403 with another."""

    def dependency(
        request: Request,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None,
        idempotency_key: Annotated[str | None, Header(max_length=255, min_length=1)] = None,
    ) -> Call:
        site: Site = request.app.state.site
        request.state.needed = roles
        request.state.principal = principal = _principal(site, bearer, request.client.host if request.client else None)
        if not any(may(principal.role, role) for role in roles):
            raise Forbidden(f"role {principal.role!r} may not do that: it needs {whoever_may(*roles)}")
        _refuse_unstorable(request)
        return Call(principal, site, request, idempotency_key)

    return dependency


def _principal(site: Site, bearer: HTTPAuthorizationCredentials | None, address: str | None) -> Principal:
    """The token is looked up first: whoever holds a good one passes, whatever others do from the same address."""
    token = bearer.credentials.strip() if bearer else ""
    if not token:
        raise Unauthorized("send the header `Authorization: Bearer <token>`")
    try:
        with site.database.read() as session:
            return authenticate(session, token)
    except Unauthorized:
        wait = site.failed_sign_ins.count(address, token)
        if wait is None:
            raise
    raise TooManyFailures("too many unknown tokens in the last minute; wait and try again", retry_after=wait)


def _refuse_unstorable(request: Request) -> None:
    """JSON that no database can hold is refused here, before a field of type Any carries it in."""
    if not is_json(request):
        return
    try:
        value = json.loads(request.state.body or b"null")
    except (ValueError, RecursionError):
        return  # FastAPI says so
    refuse_unstorable(value, "body")


Anyone = Annotated[Call, Depends(authorise(*INCLUDES))]
Viewer = Annotated[Call, Depends(authorise("viewer"))]
Operator = Annotated[Call, Depends(authorise("operator"))]
Releaser = Annotated[Call, Depends(authorise("releaser"))]
Auditor = Annotated[Call, Depends(authorise("auditor"))]
Labeller = Annotated[Call, Depends(authorise("feedback"))]
Worker = Annotated[Call, Depends(authorise("worker"))]
Gateway = Annotated[Call, Depends(authorise("gateway"))]
Admin = Annotated[Call, Depends(authorise("admin"))]
