"""`GET /v1/models`: the deployment's model, and its versions that are served now."""

from typing import Final, Literal

from fastapi import APIRouter

from schemas.base import View
from schemas.problem import refusals
from workers.serve.gateway import Gateway
from workers.serve.problems import Problem

UNKNOWN: Final = 0


class Model(View):
    id: str
    """What a request's `model` may be."""
    object: Literal["model"] = "model"
    created: int = UNKNOWN
    """A gateway does not know when a version was made: always 0."""
    owned_by: str = "graftwork"


class ModelList(View):
    object: Literal["list"] = "list"
    data: list[Model]


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter(prefix="/v1/models")

    @router.get("", responses=refusals(503))
    async def list_models() -> ModelList:
        return ModelList(data=[Model(id=name) for name in names(gateway)])

    @router.get("/{model:path}", responses=refusals(404, 503))
    async def get_model(model: str) -> Model:
        find(gateway, model)
        return Model(id=model)

    return router


def names(gateway: Gateway) -> list[str]:
    """First the one under which a version is drawn."""
    _, stable = gateway.units.serving()
    return [stable.model, *(f"{version.model}/{version.version}" for version in gateway.units.served())]


def find(gateway: Gateway, name: str) -> str | None:
    """The version that a name names, as its number; None: one is drawn. Raises Problem, without the name in it."""
    known = names(gateway)
    if name not in known:
        expected = f"model: expected {' or '.join(map(repr, known))}, which is served now"
        raise Problem(404, "model-not-found", "There is no such model here", expected, field="model")
    return name.partition("/")[2] or None
