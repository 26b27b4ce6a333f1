"""What an endpoint has at hand: who calls, one unit of work, and the answer that a retry gets again."""

import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel, TypeAdapter
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from controlplane.api.feed import Feed
from controlplane.commands.idempotency import Attempt, find_answer, keep_answer
from controlplane.commands.tokens import Principal, authenticate
from controlplane.domain.roles import may
from controlplane.errors import Forbidden, TooManyFailures, Unauthorized
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.unit_of_work import UnitOfWork
from schemas.roles import Role

ANY = TypeAdapter(Any)
ROLES_OF_ROUTES: dict[Callable[..., Any], Role] = {}


@dataclass
class Site:
    """What one API process is made of; kept on `app.state.site`."""

    settings: Settings
    database: Database
    feed: Feed
    failed_logins: deque[float] = field(default_factory=deque)


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

    def write(self, effect: Effect, *, status: int = 200, secret: bool = False) -> Response:
        """Run one command in one unit of work and answer what it returns (a model, JSON, a Reply or None → 204).

        With an Idempotency-Key the stored answer wins over every precondition: a retried winner must not get 412.
        An answer with a secret is never stored, so such a call may not carry a key's promise.
        """
        try:
            return self._write_once(effect, status, secret)
        except IntegrityError:
            if self.idempotency_key is None:
                raise
            return self._write_once(effect, status, secret)  # the same key at the same time: the other one has won

    def _write_once(self, effect: Effect, status: int, secret: bool) -> Response:
        attempt = None if secret else self._attempt()
        with self.site.database.begin(self.principal.name) as uow:
            if attempt and (row := find_answer(uow, attempt)):
                return _response(row.status, {**row.headers, "idempotent-replayed": "true"}, row.body)
            reply = effect(uow)
            if not isinstance(reply, Reply):
                reply = Reply(reply)
            code = reply.status or (204 if reply.body is None else status)
            body = "" if reply.body is None else ANY.dump_json(reply.body).decode()
            if attempt:
                keep_answer(uow, attempt, code, reply.headers, body)
                uow.session.flush()
            return _response(code, reply.headers, body)

    def _attempt(self) -> Attempt | None:
        if self.idempotency_key is None:
            return None
        route = f"{self.request.method} {self.request.url.path}"
        return Attempt(str(self.principal.id), route, self.idempotency_key, self.request.state.body)


def _response(status: int, headers: dict[str, str], body: str) -> Response:
    return Response(body or None, status, headers, "application/json" if body else None)


def authorise(role: Role) -> Callable[..., Call]:
    """A dependency that answers a Call for callers whose role may act as `role`: 401 without, 403 with another."""

    def dependency(
        request: Request,
        authorization: Annotated[str | None, Header()] = None,
        idempotency_key: Annotated[str | None, Header(max_length=255, min_length=1)] = None,
    ) -> Call:
        site: Site = request.app.state.site
        principal = _principal(site, authorization)
        if not may(principal.role, role):
            raise Forbidden(f"role {principal.role!r} may not do that: it needs {role!r}")
        return Call(principal, site, request, idempotency_key)

    ROLES_OF_ROUTES[dependency] = role
    return dependency


def _principal(site: Site, authorization: str | None) -> Principal:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("send the header `Authorization: Bearer <token>`")
    failures, now = site.failed_logins, time.monotonic()
    while failures and failures[0] < now - 60:
        failures.popleft()
    try:
        with site.database.read() as session:
            return authenticate(session, token.strip())
    except Unauthorized:
        if len(failures) >= site.settings.failed_logins_per_minute:
            raise TooManyFailures("too many unknown tokens in the last minute; wait and try again") from None
        failures.append(now)
        raise


Viewer = Annotated[Call, Depends(authorise("viewer"))]
Operator = Annotated[Call, Depends(authorise("operator"))]
Releaser = Annotated[Call, Depends(authorise("releaser"))]
Auditor = Annotated[Call, Depends(authorise("auditor"))]
Worker = Annotated[Call, Depends(authorise("worker"))]
Gateway = Annotated[Call, Depends(authorise("gateway"))]
Admin = Annotated[Call, Depends(authorise("admin"))]
