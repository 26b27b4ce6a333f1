"""Every refusal as RFC 9457 problem+json, in one table."""

import json
import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from controlplane.errors import GraftworkError

logger = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "https://graftwork.dev/problems/"


def problem(status: int, slug: str, title: str, detail: str, *, retry_after: int = 1, **members: Any) -> Response:
    """One problem document; `members` are RFC 9457 extension members."""
    body = {"type": TYPE_PREFIX + slug, "title": title, "status": status, "detail": detail, **members}
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    elif status in (429, 503):
        headers["Retry-After"] = str(retry_after)
    # ASCII: a refused value may hold half of a surrogate pair, which UTF-8 cannot
    return Response(json.dumps(body), status, headers, MEDIA_TYPE)


def field_errors(errors: Sequence[Any]) -> list[dict[str, str]]:
    """pydantic's errors as {field, expected, value}: the value shortened, and left out where it could be a secret."""
    found = []
    for error in errors:
        field = ".".join(str(part) for part in error["loc"])
        item = {"field": field, "expected": error["msg"]}
        value = error.get("input")
        if isinstance(value, str | int | float | bool) and not any(s in field.lower() for s in ("token", "secret")):
            item["value"] = str(value)[:80].encode("utf-8", "backslashreplace").decode()
        found.append(item)
    return found


def install(app: FastAPI) -> None:
    """Handlers for our own refusals, for validation, for Starlette's own and for what nobody expected."""

    @app.exception_handler(GraftworkError)
    def _refused(_request: Request, error: GraftworkError) -> Response:
        members = {"field": error.field} if error.field else {}
        return problem(error.status, error.slug, error.title, error.detail, retry_after=error.retry_after, **members)

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(ValidationError)
    def _invalid(_request: Request, error: RequestValidationError | ValidationError) -> Response:
        errors = field_errors(error.errors())
        detail = "; ".join(f"{e['field']}: {e['expected']}" for e in errors[:5])
        return problem(422, "invalid", "The request is understood and wrong", detail, errors=errors)

    @app.exception_handler(HTTPException)
    def _http(_request: Request, error: HTTPException) -> Response:
        return problem(error.status_code, "http", str(error.detail), str(error.detail))

    @app.exception_handler(Exception)
    def _unexpected(request: Request, error: Exception) -> Response:
        # The class only: a message may quote a row or a secret.
        logger.error("unexpected %s in %s %s", type(error).__name__, request.method, request.url.path, exc_info=error)
        return problem(500, "internal", "Something unexpected went wrong", f"unexpected {type(error).__name__}")
