"""Builds a gateway's HTTP application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Security
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from processes.head_requests import HeadAsGet
from processes.request_encoding import DecodedBody
from workers.serve import problems
from workers.serve.engines.port import OpenEngine
from workers.serve.files import GatewayFiles
from workers.serve.gateway import Gateway, running
from workers.serve.protocols import health, oip, predict
from workers.serve.protocols.bearer import BEARER, bearer
from workers.serve.protocols.description import GUARDED, describe
from workers.serve.protocols.openai import completions, models
from workers.serve.protocols.requests import MAX_BODY_BYTES
from workers.serve.settings import GatewaySettings


class Metrics(Response):
    media_type = CONTENT_TYPE_LATEST


def create_app(settings: GatewaySettings, open_engine: OpenEngine, files: GatewayFiles) -> FastAPI:
    """Health routes are open; everything else asks for the gateway's token where one is set."""
    product = version("graftwork")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(settings, open_engine, files) as gateway:
            app.state.gateway = gateway
            guarded: list[Any] = [Depends(bearer(settings))]
            guarded += [Security(BEARER)] if settings.gateway_token else []
            app.include_router(health.routes(gateway))
            app.include_router(oip.health_routes(gateway))
            for routes in (
                predict.routes(gateway),
                _metrics_route(gateway),
                oip.routes(gateway, product),
                completions.routes(gateway),
                models.routes(gateway),
            ):
                app.include_router(routes, dependencies=guarded, responses=GUARDED)
            yield

    app = FastAPI(
        title="Graftwork gateway",
        version=product,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    describe(app)
    app.add_middleware(DecodedBody, max_bytes=MAX_BODY_BYTES)
    app.add_middleware(HeadAsGet)
    return app


def _metrics_route(gateway: Gateway) -> APIRouter:
    router = APIRouter()

    @router.get("/metrics", response_class=Metrics)
    async def metrics() -> Response:
        return Metrics(gateway.render_metrics())

    return router
