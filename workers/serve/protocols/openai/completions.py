"""`POST /v1/chat/completions` and `POST /v1/completions`, as OpenAI's clients ask them.

https://platform.openai.com/docs/api-reference/chat
"""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from schemas.problem import refusals
from workers.serve.gateway import Gateway
from workers.serve.protocols.description import body_of
from workers.serve.protocols.models import check_task
from workers.serve.protocols.openai import models
from workers.serve.protocols.openai.answers import CHAT, TEXT, ChatCompletion, TextCompletion, Wording, events, whole
from workers.serve.protocols.openai.requests import ChatRequest, CompletionRequest
from workers.serve.protocols.requests import hanging_up, read, session_key

EVENTS: Final = "text/event-stream"
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {EVENTS: {"schema": {"type": "string"}}}, "description": "Whole, or as events with `stream`"},
    **refusals(400, 404, 413, 415, 500, 503, 504),
}


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.post(
        "/chat/completions", response_model=ChatCompletion, responses=ANSWERS, openapi_extra=body_of(ChatRequest)
    )
    async def chat_completions(request: Request) -> Response:
        return await _answer(gateway, request, await read(request, ChatRequest), CHAT)

    @router.post(
        "/completions", response_model=TextCompletion, responses=ANSWERS, openapi_extra=body_of(CompletionRequest)
    )
    async def completions(request: Request) -> Response:
        return await _answer(gateway, request, await read(request, CompletionRequest), TEXT)

    return router


async def _answer(
    gateway: Gateway, request: Request, body: ChatRequest | CompletionRequest, wording: Wording
) -> Response:
    version = models.find(gateway, body.model)
    check_task(gateway, "text-generation")
    key, left = session_key(request, None), hanging_up(request)
    if body.stream:
        streamed = await gateway.units.stream(body.wanted(), key, version, left)
        told = events(streamed, wording, usage=body.includes_usage)
        return StreamingResponse(told, headers=streamed.headers, media_type=EVENTS)
    answer = await gateway.units.answer([body.wanted()], key, version, left)
    return JSONResponse(whole(answer, wording), headers=answer.headers)
