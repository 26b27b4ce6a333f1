"""`POST /v1/predict`: the labels of one or more texts, with scores."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from schemas.problem import refusals
from schemas.views.predictions import PredictAnswer
from workers.serve.gateway import Gateway
from workers.serve.problems import PREDICT
from workers.serve.protocols.description import ANSWERS_A_MODEL, body_of
from workers.serve.protocols.models import check_task
from workers.serve.protocols.requests import PredictRequest, read, session_key
from workers.serve.rollout.units import Answered


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter()

    @router.post(
        PREDICT,
        response_model=PredictAnswer,
        responses={**refusals(409), **ANSWERS_A_MODEL},
        openapi_extra=body_of(PredictRequest),
    )
    async def predict(request: Request) -> JSONResponse:
        check_task(gateway, "text-classification")
        body = await read(request, PredictRequest)
        answer = await gateway.units.answer(body.rows, session_key(request, body.session_key))
        return JSONResponse(_body(answer), headers=answer.headers)

    return router


def _body(answer: Answered) -> dict[str, Any]:
    return {
        "model": answer.version.model,
        "version": answer.version.version,
        "model_version": str(answer.version.id),
        "variant": answer.arm,
        "rollout_id": str(answer.generation.rollout_id) if answer.generation.rollout_id else None,
        "request_id": answer.request_id,
        "predictions": [
            {"label": row.payload.label, "scores": row.payload.scores, "prediction_id": row.prediction_id}
            for row in answer.answers
        ],
    }
