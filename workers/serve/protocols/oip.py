"""The Open Inference Protocol v2: metadata, readiness and inference of the deployment's model.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from schemas.model.tasks import TextGeneration
from schemas.problem import refusals
from schemas.serving import ServedVersion
from workers.serve.gateway import Gateway
from workers.serve.protocols.binary_tensors import HEADER
from workers.serve.protocols.description import ANSWERS_A_MODEL, InferAnswer, Ready, body_of
from workers.serve.protocols.inference import InferRequest, read_inference
from workers.serve.protocols.models import served
from workers.serve.protocols.outputs import outputs, parameters, tensors
from workers.serve.protocols.requests import LIMITS, hanging_up, session_key
from workers.serve.rollout.units import Answered


def routes(gateway: Gateway, version: str) -> APIRouter:
    router = APIRouter(prefix="/v2")

    @router.get("")
    async def server_metadata() -> dict[str, Any]:
        return {"name": "graftwork-gateway", "version": version, "extensions": ["binary_tensor_data"]}

    @router.get("/models/{model}", responses=refusals(404, 503))
    @router.get("/models/{model}/versions/{version}", responses=refusals(404, 503))
    async def model_metadata(model: str, version: str | None = None) -> dict[str, Any]:
        generation, stable = served(gateway, model, version)
        return _metadata(stable, generation.canary)

    @router.get("/models/{model}/ready", responses=refusals(404, 503))
    @router.get("/models/{model}/versions/{version}/ready", responses=refusals(404, 503))
    async def model_ready(model: str, version: str | None = None) -> dict[str, Any]:
        served(gateway, model, version)
        return {"name": model, "ready": True}

    async def infer(model: str, request: Request, version: str | None = None) -> Response:
        _, stable = served(gateway, model, version)
        task = stable.graph.identity.task
        body, texts = await read_inference(request)
        body.check_outputs([output.name for output in outputs(task)])
        key = session_key(request, body.parameters.session_key)
        if isinstance(task, TextGeneration):
            asked = [body.parameters.asked(prompt=text) for text in texts]
            answer = await gateway.units.answer(asked, key, version, hanging_up(request))
        else:
            answer = await gateway.units.answer(texts, key, version)
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
    task = stable.graph.identity.task
    return {
        "name": stable.model,
        "versions": [str(version.version) for version in (stable, canary) if version is not None],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
        "outputs": [output.declared() for output in outputs(task)],
        "parameters": {**parameters(task), "limits": LIMITS},
    }


def _response(body: InferRequest, answer: Answered) -> Response:
    told = [
        (tensor, body.wants_binary(tensor.output.name))
        for tensor in tensors(answer)
        if not body.outputs or tensor.output.name in body.named_outputs
    ]
    behind = b"".join(tensor.binary() for tensor, binary in told if binary)
    header = {
        "model_name": answer.version.model,
        "model_version": str(answer.version.version),
        "id": body.id if body.id is not None else answer.request_id,
        "parameters": {**parameters(answer.version.graph.identity.task), "variant": answer.arm},
        "outputs": [tensor.described(binary) for tensor, binary in told],
    }
    if not any(binary for _, binary in told):
        return JSONResponse(header, headers=answer.headers)
    text = json.dumps(header, separators=(",", ":")).encode()
    headers = {**answer.headers, HEADER: str(len(text))}
    return Response(text + behind, headers=headers, media_type="application/octet-stream")
