"""Every refusal over HTTP is an RFC 9457 problem: its document, and how OpenAPI says which ones a route may answer."""

import json
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from schemas.base import Described
from schemas.faults import FieldFault

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "https://graftwork.dev/problems/"
NAMES: Final[dict[int, str]] = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Gone",
    412: "PreconditionFailed",
    413: "PayloadTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    428: "PreconditionRequired",
    429: "TooManyFailures",
    500: "Failed",
    503: "Busy",
    504: "DeadlinePassed",
}
"""Every status that we refuse with on purpose, as the document names its response."""


class OpenAIError(Described):
    """What OpenAI's clients read of a refusal."""

    message: str
    type: str
    param: str | None
    """The field that it is about."""
    code: str | None


class Problem(Described):
    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    """What the refusal is about, where it is one thing."""
    errors: list[FieldFault] = []
    """Every field that does not fit its schema."""
    error: str | OpenAIError | None = None
    """A gateway answers with it: on `/v2` the detail, as the Open Inference Protocol wants it; on OpenAI's routes their
    error."""


def document(status: int, slug: str, title: str, detail: str, **members: Any) -> dict[str, Any]:
    """What a refusal says; `members` are RFC 9457 extension members."""
    return {"type": TYPE_PREFIX + slug, "title": title, "status": status, "detail": detail, **members}


def rendered(document: dict[str, Any]) -> str:
    """In ASCII: a refused value may hold half of a surrogate pair, which UTF-8 cannot."""
    return json.dumps(document)


def headers_of(status: int, retry_after: int = 1) -> dict[str, str]:
    """What a refusal of this status says besides its body."""
    if status == 401:
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": str(retry_after)} if status in (429, 503) else {}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route that may refuse so."""
    return {status: _response(status) for status in statuses}


def with_problem_schemas(openapi: dict[str, Any]) -> dict[str, Any]:
    """The document with each refusal written once, and without FastAPI's own, which nobody answers."""
    _, definitions = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
    components = openapi.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas.update(definitions["$defs"])
    for operation in (one for path in openapi["paths"].values() for one in path.values()):
        responses = operation["responses"]
        if "HTTPValidationError" in str(responses.get("422")):
            del responses["422"]
        for status, response in responses.items():
            if MEDIA_TYPE in response.get("content", ()):
                name = NAMES[int(status)]
                components.setdefault("responses", {})[name] = response
                responses[status] = {"$ref": f"#/components/responses/{name}"}
    return openapi


def _response(status: int) -> dict[str, Any]:
    headers = {name: {"required": True, "schema": {"type": "string"}} for name in headers_of(status)}
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": NAMES[status], "content": content, **({"headers": headers} if headers else {})}
