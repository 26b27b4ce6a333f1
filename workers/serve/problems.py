"""Everything a gateway refuses, as RFC 9457 problem+json; never with a caller's text in it."""

import logging
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from processes.request_encoding import BodyRefused
from schemas import faults
from schemas.problem import MEDIA_TYPE, document, headers_of, rendered

logger = logging.getLogger(__name__)

INVALID = "The request is understood and wrong"
FIELD_CHARACTERS: Final = 200
_BODIES = {
    413: ("payload-too-large", "The body is larger than what we accept"),
    415: ("unsupported-media-type", "The body is encoded in a way that we do not read"),
    422: ("invalid", INVALID),
}
"""Slug and title of a body that is not read on."""
PREDICT: Final = "/v1/predict"
"""The one route below `/v1` that is ours: everything else there is where OpenAI's clients ask."""
OPENAI_ROUTES: Final = "/v1/chat/completions, /v1/completions and /v1/models"
OPENAI_STATUSES: Final = {409: 400, 422: 400}
"""A request that is wrong is a 400 there; after a 409 their clients ask again."""


class Problem(Exception):
    """A refusal or failure with its status; `headers` also go out with it, and `field` says what it is about."""

    def __init__(
        self, status: int, slug: str, title: str, detail: str, *, field: str | None = None, retry_after: int = 1
    ) -> None:
        super().__init__(detail)
        self.status, self.slug, self.title, self.detail, self.field = status, slug, title, detail, field
        self.headers = headers_of(status, retry_after)


def invalid(error: ValidationError, inside: str = "") -> Problem:
    """Which fields are wrong and what was expected; pydantic's copy of the input stays out.

    `inside`: where in the request the validated part was.
    """
    found = faults.in_words(error, prefix=inside, with_values=False)[: faults.FAULTS_OF_A_LINE]
    told = (str(fault) if fault.field else f"body: {fault}" for fault in found)
    return Problem(422, "invalid", INVALID, "; ".join(told)[:1000], field=_field(found))


def wrong(field: str, expected: str) -> Problem:
    """A field that no schema could refuse."""
    return Problem(422, "invalid", INVALID, f"{field}: {expected}", field=field)


def install(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    def _refused(request: Request, problem: Problem) -> Response:
        return _document(request, problem)

    @app.exception_handler(BodyRefused)
    def _unread(request: Request, error: BodyRefused) -> Response:
        slug, title = _BODIES[error.status]
        problem = Problem(error.status, slug, title, f"{error.field}: {error.detail}", field=error.field)
        problem.headers |= error.headers
        return _document(request, problem)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        title = detail = str(error.detail)
        if error.status_code == 404 and _is_openai(request):
            detail = f"there is nothing at this path: expected {PREDICT}, or of OpenAI's {OPENAI_ROUTES}"
        refusal = Problem(error.status_code, "http", title, detail)
        refusal.headers |= error.headers or {}  # a 405 names what the path allows
        return _document(request, refusal)

    @app.exception_handler(Exception)
    def _unexpected(request: Request, error: Exception) -> Response:
        # the class only: a message may quote a row
        logger.error("unexpected %s in %s", type(error).__name__, request.url.path)
        detail = f"unexpected {type(error).__name__}"
        return _document(request, Problem(500, "internal", "Something unexpected went wrong", detail))


def as_openai(problem: Problem) -> dict[str, Any]:
    """A problem with OpenAI's error object in it."""
    status = OPENAI_STATUSES.get(problem.status, problem.status)
    error = {
        "message": problem.detail,
        "type": "server_error" if status >= 500 else "invalid_request_error",
        "param": problem.field,
        "code": problem.slug,
    }
    return _members(problem, status) | {"error": error}


def _document(request: Request, problem: Problem) -> Response:
    if _is_openai(request):
        told = as_openai(problem)
    else:
        # the Open Inference Protocol has an error member of its own
        is_oip = request.url.path.startswith("/v2")
        told = _members(problem, problem.status) | ({"error": problem.detail} if is_oip else {})
    return Response(rendered(told), told["status"], problem.headers, MEDIA_TYPE)


def _is_openai(request: Request) -> bool:
    path = request.url.path
    return path.startswith("/v1/") and path != PREDICT


def _members(problem: Problem, status: int) -> dict[str, Any]:
    named = {"field": problem.field} if problem.field else {}
    return document(status, problem.slug, problem.title, problem.detail, **named)


def _field(found: list[faults.FieldFault]) -> str | None:
    """The first one that is wrong, cut where somebody's unknown name is long; None: the whole body is."""
    return (found[0].field[:FIELD_CHARACTERS] or None) if found else None
