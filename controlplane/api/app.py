"""Builds the HTTP API: one router a noun, limits and problems for all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
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
from controlplane.settings import VERSION, Settings
from controlplane.store.database import Database
from schemas.sign_ins import FailedSignIns

ROUTERS: Final = (
    health.router,
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


def create_app(settings: Settings, database: Database) -> FastAPI:
    """The API of one process."""
    feed = Feed(database, settings.feed_subscribers)
    presence = Presence(database, settings.job_lease_seconds)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with feed.running(), presence.running():
            yield

    app = FastAPI(title="Graftwork", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.site = Site(settings, database, feed, FailedSignIns(settings.failed_logins_per_minute))
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
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
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if len(body) > self._max_bytes:
                answer = problems.problem(
                    413,
                    "payload-too-large",
                    "The body is larger than what we accept",
                    f"at most {self._max_bytes} bytes",
                )
                await answer(scope, receive, send)
                return
            if not message.get("more_body"):
                break
        scope.setdefault("state", {})["body"] = body
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)
