"""Builds the HTTP API: one router a noun, limits and problems for all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controlplane.api import (
    aliases,
    datasets,
    dead_letters,
    deployments,
    events,
    gateways,
    health,
    inbound,
    jobs,
    models,
    pipelines,
    problems,
    rollouts,
    tokens,
    triggers,
)
from controlplane.api.call import Site
from controlplane.api.feed import Feed
from controlplane.api.presence import Presence
from controlplane.errors import GraftworkError, PayloadTooLarge, UnsupportedMedia
from controlplane.settings import VERSION, Settings
from controlplane.store.bell import hearing
from controlplane.store.database import Database
from schemas.problem import refusals, with_problem_schemas
from schemas.processes.sign_ins import FailedSignIns

ROUTERS: Final = (
    events.router,
    tokens.router,
    jobs.router,
    datasets.router,
    models.router,
    aliases.router,
    deployments.router,
    gateways.router,
    rollouts.router,
    pipelines.router,
    triggers.router,
    inbound.router,
    dead_letters.router,
)
"""Each of their routes wants a token."""
ANY_ROUTE: Final = (413, 415, 422, 503)
"""What a route may refuse whatever it does: a body too large or encoded, a wrong request, a database that is busy."""


def create_app(settings: Settings, database: Database) -> FastAPI:
    """The API of one process."""
    feed = Feed(database, settings.feed_subscribers)
    presence = Presence(database, settings.job_lease_seconds)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with feed.running(), presence.running():
            with hearing(database):
                yield

    app = FastAPI(
        title="Graftwork",
        version=VERSION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a path is right or wrong: a redirect would drop the body's promise and the token
    )
    app.state.site = Site(settings, database, feed, FailedSignIns(settings.failed_logins_per_minute))
    problems.install(app)
    app.include_router(health.router, responses=refusals(*ANY_ROUTE))
    for router in ROUTERS:
        app.include_router(router, responses=refusals(401, 403, *ANY_ROUTE, 429))
    describe = app.openapi
    app.openapi = lambda: with_problem_schemas(describe())  # type: ignore[method-assign]
    app.add_middleware(LimitedBody, max_bytes=settings.max_body_bytes)
    return app


class LimitedBody:
    """Reads a request's body once, refuses one that is too large, and keeps it for the idempotency digest."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if (encoding := Headers(scope=scope).get("content-encoding", "identity").lower()) != "identity":
            await _refuse(UnsupportedMedia(f"content-encoding {encoding!r}, expected none"), scope, receive, send)
            return
        body = await self._read(receive)
        if body is None:
            return
        if len(body) > self._max_bytes:
            await _refuse(PayloadTooLarge(f"at most {self._max_bytes} bytes"), scope, receive, send)
            return
        scope.setdefault("state", {})["body"] = body
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The body, or as much of it as shows that it is too large; None when the caller has hung up."""
        body = bytearray()
        more = True
        while more and len(body) <= self._max_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(body)


async def _refuse(error: GraftworkError, scope: Scope, receive: Receive, send: Send) -> None:
    await problems.refusal(error)(scope, receive, send)
