"""Every refusal as RFC 9457 problem+json, in one table."""

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from controlplane.api.auditing import note_refusal, request_id_of
from controlplane.domain.roles import may
from controlplane.errors import GraftworkError, Invalid, InvalidDocument, PayloadTooLarge, UnsupportedMedia
from processes.request_encoding import BodyRefused
from schemas.faults import FAULTS_OF_A_LINE, FieldFault, field_faults
from schemas.problem import MEDIA_TYPE, document, headers_of, rendered

logger = logging.getLogger(__name__)
METHODS = ("GET", "PUT", "POST", "DELETE")
"""Every method that a route of the API may have."""


def problem(status: int, slug: str, title: str, detail: str, *, retry_after: int = 1, **members: Any) -> Response:
    """One problem document; `members` are RFC 9457 extension members."""
    body = rendered(document(status, slug, title, detail, **members))
    return Response(body, status, headers_of(status, retry_after), MEDIA_TYPE)


def refusal(error: GraftworkError, *, with_hint: bool = False) -> Response:
    """What we refuse on purpose, as its class says. The hint is for whoever may read the names of things."""
    members: dict[str, Any] = {"field": error.field} if error.field else {}
    if isinstance(error, InvalidDocument):
        members["errors"] = _documented(error.faults)
    detail = error.detail + error.hint if with_hint else error.detail
    return problem(error.status, error.slug, error.title, detail, retry_after=error.retry_after, **members)


def unread(error: BodyRefused) -> Response:
    """A body that is too large, in an encoding that we do not read, or not what it says."""
    refused = {413: PayloadTooLarge, 415: UnsupportedMedia, 422: Invalid}[error.status]
    answer = refusal(refused(error.detail, field=error.field))
    answer.headers.update(error.headers)
    return answer


def install(app: FastAPI) -> None:
    """Handlers for our own refusals, for validation, for Starlette's own and for what nobody expected."""

    @app.exception_handler(GraftworkError)
    def _refused(request: Request, error: GraftworkError) -> Response:
        note_refusal(request, error.status, _unquoted(error))
        return _named(request, refusal(error, with_hint=_may_read(request)))

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(ValidationError)
    def _invalid(request: Request, error: RequestValidationError | ValidationError) -> Response:
        unread = any(
            tuple(e["loc"])[:1] == ("body",) and (len(e["loc"]) == 1 or e["type"] == "json_invalid")
            for e in error.errors()
        )
        if unread and not is_json(request):
            media = request.headers.get("content-type")
            return refusal(UnsupportedMedia(f"content-type {media!r}, expected application/json", field="Content-Type"))
        faults = _faults(error)
        note_refusal(request, 422, _without_values(faults))
        detail = "; ".join(str(fault) for fault in faults[:FAULTS_OF_A_LINE])
        members: dict[str, Any] = {"field": faults[0].field, "errors": _documented(faults)}
        answer = problem(422, "invalid", "The request is understood and wrong", detail, **members)
        return _named(request, answer)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 400:  # FastAPI's word for JSON that is not UTF-8 or too deep to read
            return refusal(Invalid("the body is not JSON in UTF-8, or nested too deeply", field="body"))
        title = str(error.detail)
        detail = f"there is nothing at {request.url.path}" if error.status_code == 404 else title
        answer = problem(error.status_code, "http", title, detail)
        if error.status_code == 405:
            answer.headers["Allow"] = ", ".join(_allowed(app, request))
        return answer

    @app.exception_handler(Exception)
    def _unexpected(request: Request, error: Exception) -> Response:
        # The class only: a message may quote a row or a secret.
        logger.error("unexpected %s in %s %s", type(error).__name__, request.method, request.url.path, exc_info=error)
        return problem(500, "internal", "Something unexpected went wrong", f"unexpected {type(error).__name__}")


def _faults(error: RequestValidationError | ValidationError) -> list[FieldFault]:
    """Each by its name alone, and what is in the body by its place in it; `body` is the whole of that."""
    if not isinstance(error, RequestValidationError):
        return field_faults(error.errors())
    of_body = [one for one in error.errors() if tuple(one["loc"])[:1] == ("body",)]
    elsewhere = [one for one in error.errors() if one not in of_body]
    found = field_faults([_within(one) for one in of_body], error.body)
    return [
        *field_faults([_within(one) for one in elsewhere]),
        *(fault if fault.field else fault.model_copy(update={"field": "body"}) for fault in found),
    ]


def _within(error: Any) -> Any:
    """Without FastAPI's word for where in a request it is; a header as HTTP's documents write it."""
    where, *place = error["loc"]
    if where == "header":
        place = [str(part).title() for part in place]
    return {**error, "loc": () if error["type"] == "json_invalid" else tuple(place)}


def _may_read(request: Request) -> bool:
    principal = getattr(request.state, "principal", None)
    return principal is not None and may(principal.role, "viewer")


def _unquoted(error: GraftworkError) -> str:
    """What is invalid is told to the caller with its value, which may be a secret: others read the field alone."""
    if isinstance(error, InvalidDocument):
        return _without_values(error.faults)
    return f"{error.field or 'the request'} is invalid" if error.status == 422 else error.detail


def _documented(faults: list[FieldFault]) -> list[dict[str, Any]]:
    return [fault.model_dump(exclude_none=True) for fault in faults]


def _without_values(faults: list[FieldFault]) -> str:
    return "; ".join(str(fault.without_value()) for fault in faults[:FAULTS_OF_A_LINE])


def _named(request: Request, answer: Response) -> Response:
    """With the id by which the audit log knows the request."""
    answer.headers["x-request-id"] = request_id_of(request)
    return answer


def is_json(request: Request) -> bool:
    """By its content-type."""
    return "json" in request.headers.get("content-type", "")


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """Every method of the path; Starlette's own answer knows those of one route only."""
    return [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in app.routes)
    ]
