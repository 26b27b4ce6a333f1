"""Builds a gateway's HTTP application."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Security
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from processes.head_requests import HeadAsGet
from processes.request_encoding import DecodedBody
from processes.sign_ins import FailedSignIns
from schemas.problem import refusals
from schemas.views.predictions import PredictAnswer
from workers.serve import oip, problems
from workers.serve.description import ANSWERS_A_MODEL, BEARER, GUARDED, body_of, describe
from workers.serve.files import GatewayFiles
from workers.serve.gateway import Gateway, running
from workers.serve.predict import Answer
from workers.serve.problems import Problem
from workers.serve.requests import MAX_BODY_BYTES, PredictRequest, read, session_key
from workers.serve.sessions import Sessions
from workers.serve.settings import GatewaySettings


class Metrics(Response):
    media_type = CONTENT_TYPE_LATEST


def create_app(settings: GatewaySettings, sessions: Sessions, files: GatewayFiles) -> FastAPI:
    """Health routes are open; everything else asks for the gateway's token where one is set."""
    product = version("graftwork")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(settings, sessions, files) as gateway:
            guarded: list[Any] = [Depends(_bearer(settings))]
            guarded += [Security(BEARER)] if settings.gateway_token else []
            app.include_router(_health_routes(gateway))
            app.include_router(oip.health_routes(gateway))
            app.include_router(_predict_routes(gateway), dependencies=guarded, responses=GUARDED)
            app.include_router(oip.routes(gateway, product), dependencies=guarded, responses=GUARDED)
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


def _predict_routes(gateway: Gateway) -> APIRouter:
    router = APIRouter()

    @router.post(
        "/v1/predict",
        response_model=PredictAnswer,
        responses=ANSWERS_A_MODEL,
        openapi_extra=body_of(PredictRequest),
    )
    async def predict(request: Request) -> JSONResponse:
        body = await read(request, PredictRequest)
        answer = await gateway.predictor.predict(body.rows, session_key(request, body.session_key))
        return JSONResponse(_body(answer), headers=answer.headers)

    @router.get("/metrics", response_class=Metrics)
    async def metrics() -> Response:
        return Metrics(gateway.render_metrics())

    return router


def _health_routes(gateway: Gateway) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz", responses=refusals(503))
    async def readyz() -> dict[str, Any]:
        generation, stable = gateway.predictor.serving()
        return {"status": "ok", "generation": generation.generation, "stable": str(stable.id)}

    return router


def _body(answer: Answer) -> dict[str, Any]:
    labels = answer.version.graph.identity.classification.labels
    return {
        "model": answer.version.model,
        "version": answer.version.version,
        "model_version": str(answer.version.id),
        "variant": answer.arm,
        "rollout_id": str(answer.generation.rollout_id) if answer.generation.rollout_id else None,
        "request_id": answer.request_id,
        "predictions": [
            {
                "label": row.label,
                "scores": dict(zip(labels, row.scores, strict=True)),
                "prediction_id": row.prediction_id,
            }
            for row in answer.rows
        ],
    }


def _bearer(settings: GatewaySettings) -> Callable[[Request], Awaitable[None]]:
    token = settings.gateway_token_value()
    expected = _digest(token) if token is not None else None
    failed = FailedSignIns(settings.failed_logins_per_minute)

    async def check(request: Request) -> None:
        if expected is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(_digest(given), expected):
            return
        refusal = Problem(
            401, "unauthorized", "A token is needed", "expected `Authorization: Bearer` with this gateway's token"
        )
        wait = failed.count(request.client.host if request.client else None, given) if given else None
        if wait is not None:
            title = "Too many failed sign-ins from here"
            refusal = Problem(429, "too-many-failures", title, "wait and try again", retry_after=wait)
        raise refusal

    return check


def _digest(token: str) -> bytes:
    """A token's digest, of one length whatever somebody sends: comparing takes a time that depends on neither."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
