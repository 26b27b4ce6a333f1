"""The Open Inference Protocol v2: metadata, readiness and inference of the deployment's model.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

import json
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from schemas.problem import refusals
from schemas.serving import Generation, ServedVersion
from workers.serve.gateway import Gateway
from workers.serve.problems import Problem
from workers.serve.protocols.binary_tensors import HEADER, pack_floats, pack_texts
from workers.serve.protocols.description import ANSWERS_A_MODEL, InferAnswer, Ready, body_of
from workers.serve.protocols.requests import LIMITS, InferRequest, read_inference, session_key
from workers.serve.rollout.units import Answered


def routes(gateway: Gateway, version: str) -> APIRouter:
    router = APIRouter(prefix="/v2")

    @router.get("")
    async def server_metadata() -> dict[str, Any]:
        return {"name": "graftwork-gateway", "version": version, "extensions": ["binary_tensor_data"]}

    @router.get("/models/{model}", responses=refusals(404, 503))
    @router.get("/models/{model}/versions/{version}", responses=refusals(404, 503))
    async def model_metadata(model: str, version: str | None = None) -> dict[str, Any]:
        generation, stable = _served(gateway, model, version)
        return _metadata(stable, generation.canary)

    @router.get("/models/{model}/ready", responses=refusals(404, 503))
    @router.get("/models/{model}/versions/{version}/ready", responses=refusals(404, 503))
    async def model_ready(model: str, version: str | None = None) -> dict[str, Any]:
        _served(gateway, model, version)
        return {"name": model, "ready": True}

    async def infer(model: str, request: Request, version: str | None = None) -> Response:
        _served(gateway, model, version)
        body, texts = await read_inference(request)
        key = session_key(request, body.parameters.session_key)
        answer = await gateway.units.answer(texts, key, version=version)
        return _response(body, answer)

    for path in ("/models/{model}/infer", "/models/{model}/versions/{version}/infer"):
        router.post(
            path,
            response_model=InferAnswer,
            responses={**refusals(404), **ANSWERS_A_MODEL},
            openapi_extra=body_of(InferRequest),
        )(infer)

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
            {"name": "scores", "datatype": "FP32", "shape": [-1, len(stable.graph.identity.classification.labels)]},
            {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]},
        ],
        "parameters": {"labels": list(stable.graph.identity.classification.labels), "limits": LIMITS},
    }


def _served(gateway: Gateway, model: str, version: str | None) -> tuple[Generation, ServedVersion]:
    generation, stable = gateway.units.serving()
    if model != stable.model:
        # the name given stays out of the answer: it may hold anything
        expected = f"model: expected {stable.model!r}, this deployment's model"
        raise Problem(404, "not-found", "There is no such model here", expected)
    if version is not None:
        gateway.units.find(version)
    return generation, stable


def _response(body: InferRequest, answer: Answered) -> Response:
    rows = answer.answers
    scores = [score for row in rows for score in row.payload.scores.values()]
    labels = answer.version.graph.identity.classification.labels
    tensors = [
        Tensor("label", "BYTES", [len(rows)], [row.payload.label for row in rows]),
        Tensor("scores", "FP32", [len(rows), len(labels)], scores),
        Tensor("prediction_id", "BYTES", [len(rows)], [row.prediction_id for row in rows]),
    ]
    wanted: set[str] = {output.name for output in body.outputs} or {tensor.name for tensor in tensors}
    told = [(tensor, body.wants_binary(tensor.name)) for tensor in tensors if tensor.name in wanted]
    header = {
        "model_name": answer.version.model,
        "model_version": str(answer.version.version),
        "id": body.id if body.id is not None else answer.request_id,
        "parameters": {"labels": list(labels), "variant": answer.arm},
        "outputs": [tensor.described(binary) for tensor, binary in told],
    }
    behind = b"".join(tensor.binary() for tensor, binary in told if binary)
    if not any(binary for _, binary in told):
        return JSONResponse(header, headers=answer.headers)
    text = json.dumps(header, separators=(",", ":")).encode()
    headers = {**answer.headers, HEADER: str(len(text))}
    return Response(text + behind, headers=headers, media_type="application/octet-stream")


@dataclass(frozen=True)
class Tensor:
    """One output, as JSON or in binary."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any]

    def binary(self) -> bytes:
        return pack_floats(self.data) if self.datatype == "FP32" else pack_texts(self.data)

    def described(self, in_binary: bool) -> dict[str, Any]:
        values = {"parameters": {"binary_data_size": len(self.binary())}} if in_binary else {"data": self.data}
        return {"name": self.name, "datatype": self.datatype, "shape": self.shape, **values}
