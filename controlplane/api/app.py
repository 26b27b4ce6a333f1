"""Builds the HTTP API: one router a noun, limits and problems for all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controlplane.api import (
    aliases,
    audit,
    datasets,
    dead_letters,
    deployments,
    events,
    fleet,
    gateways,
    health,
    inbound,
    jobs,
    models,
    pipelines,
    problems,
    revisions,
    rollouts,
    tokens,
    triggers,
)
from controlplane.api.feed import Feed
from controlplane.api.presence import Presence
from controlplane.api.request_context import Site
from controlplane.settings import VERSION, Settings
from controlplane.store.bell import hearing
from controlplane.store.database import Database
from processes.head_requests import HeadAsGet
from processes.request_encoding import BodyRefused, DecodedBody
from processes.sign_ins import FailedSignIns
from schemas.problem import refusals, with_problem_schemas

ROUTERS: Final = (
    events.router,
    tokens.router,
    jobs.router,
    datasets.router,
    models.router,
    aliases.router,
    deployments.router,
    fleet.router,
    gateways.router,
    rollouts.router,
    pipelines.router,
    triggers.router,
    inbound.router,
    dead_letters.router,
    audit.router,
    revisions.router,
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
    # The last one is the first to see a request.
    app.add_middleware(KeptBody)
    app.add_middleware(DecodedBody, max_bytes=settings.max_body_bytes)
    app.add_middleware(HeadAsGet)
    return app


class KeptBody:
    """Reads a request's body once and keeps it, for the idempotency digest; refuses one that cannot be taken."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await _whole(receive)
        except BodyRefused as error:
            await problems.unread(error)(scope, receive, send)
            return
        if body is None:
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


async def _whole(receive: Receive) -> bytes | None:
    """None when the caller has hung up. Raises BodyRefused."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)
