"""What a gateway's OpenAPI says: the bodies that are read by hand, the answers, and the refusals."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas.problem import refusals, with_problem_schemas
from workers.serve.protocols.inference import InferRequest
from workers.serve.protocols.openai.requests import ChatRequest, CompletionRequest
from workers.serve.protocols.requests import PredictRequest

GUARDED = refusals(401, 429)
ANSWERS_A_MODEL = refusals(413, 415, 422, 500, 503, 504)
"""500: the version could not answer, and says so; its unit is counted as an error."""
READS: tuple[type[BaseModel], ...] = (PredictRequest, InferRequest, ChatRequest, CompletionRequest)


class Tensor(BaseModel):
    name: str
    datatype: str
    shape: list[int]
    data: list[str] | list[float] | None = None
    """Absent where it stands behind the JSON in binary, as the request asked."""


class InferAnswer(BaseModel):
    model_name: str
    model_version: str
    id: str
    parameters: dict[str, Any]
    outputs: list[Tensor]


class Ready(BaseModel):
    ready: bool


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra=` of a route that reads its body by hand."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def describe(app: FastAPI) -> None:
    """Put the schemas of what is read by hand, and of refusals, into the document."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        wanted: list[Any] = [(model, "validation") for model in READS]
        _, definitions = models_json_schema(wanted, ref_template="#/components/schemas/{model}")
        document.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
        return with_problem_schemas(document)

    app.openapi = openapi  # type: ignore[method-assign]
