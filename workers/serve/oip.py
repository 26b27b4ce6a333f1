"""The Open Inference Protocol v2: metadata, readiness and inference of the deployment's model.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from schemas.problem import refusals
from schemas.serving import ServedVersion
from workers.serve.description import ANSWERS_A_MODEL, InferAnswer, Ready, body_of
from workers.serve.gateway import Gateway
from workers.serve.predict import Answer
from workers.serve.problems import Problem
from workers.serve.requests import LIMITS, InferRequest, read, session_key


def routes(gateway: Gateway, version: str) -> APIRouter:
    router = APIRouter(prefix="/v2")

    @router.get("")
    async def server_metadata() -> dict[str, Any]:
        return {"name": "graftwork-gateway", "version": version, "extensions": []}

    @router.get("/models/{model}", responses=refusals(404, 503))
    async def model_metadata(model: str) -> dict[str, Any]:
        generation, stable = gateway.predictor.serving()
        _expect(model, stable.model)
        return _metadata(stable, generation.canary)

    @router.get("/models/{model}/ready", responses=refusals(404, 503))
    async def model_ready(model: str) -> dict[str, Any]:
        _, stable = gateway.predictor.serving()
        _expect(model, stable.model)
        return {"name": model, "ready": True}

    @router.post(
        "/models/{model}/infer",
        response_model=InferAnswer,
        responses={**refusals(404), **ANSWERS_A_MODEL},
        openapi_extra=body_of(InferRequest),
    )
    async def infer(model: str, request: Request) -> JSONResponse:
        _, stable = gateway.predictor.serving()
        _expect(model, stable.model)
        body = await read(request, InferRequest)
        key = session_key(request, body.parameters.session_key)
        answer = await gateway.predictor.predict(body.inputs[0].data, key)
        return JSONResponse(_response(body, answer), headers=answer.headers)

    return router


def health_routes(gateway: Gateway) -> APIRouter:
    """Open to everybody: a load balancer has no token."""
    router = APIRouter(prefix="/v2/health")

    @router.get("/live")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/ready", response_model=Ready, responses={503: {"model": Ready}})
    async def ready() -> JSONResponse:
        return JSONResponse({"ready": gateway.ready}, 200 if gateway.ready else 503)

    return router


def _metadata(stable: ServedVersion, canary: ServedVersion | None) -> dict[str, Any]:
    return {
        "name": stable.model,
        "versions": [str(version.version) for version in (stable, canary) if version is not None],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {"name": "scores", "datatype": "FP32", "shape": [-1, len(stable.graph.labels)]},
            {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]},
        ],
        "parameters": {"labels": list(stable.graph.labels), "limits": LIMITS},
    }


def _expect(model: str, served: str) -> None:
    if model != served:
        # the name given stays out of the answer: it may hold anything
        raise Problem(404, "not-found", "There is no such model here", f"expected {served!r}, this deployment's model")


def _response(body: InferRequest, answer: Answer) -> dict[str, Any]:
    rows = answer.rows
    scores = [score for row in rows for score in row.scores]
    outputs = [
        _tensor("label", "BYTES", [len(rows)], [row.label for row in rows]),
        _tensor("scores", "FP32", [len(rows), len(answer.version.graph.labels)], scores),
        _tensor("prediction_id", "BYTES", [len(rows)], [row.prediction_id for row in rows]),
    ]
    wanted = {output.name for output in body.outputs} or {"label", "scores", "prediction_id"}
    return {
        "model_name": answer.version.model,
        "model_version": str(answer.version.version),
        "id": body.id if body.id is not None else answer.request_id,
        "parameters": {"labels": list(answer.version.graph.labels), "variant": answer.arm},
        "outputs": [output for output in outputs if output["name"] in wanted],
    }


def _tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}
