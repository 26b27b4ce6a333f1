"""Every route of an API: as its OpenAPI document tells it, and as the application answers it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

from controlplane.api.app import create_app
from controlplane.settings import Settings
from controlplane.store.database import Database

NOBODY = UUID(int=0)


@dataclass(frozen=True)
class Operation:
    """One route and method, as OpenAPI tells it."""

    method: str
    path: str
    document: dict[str, Any] = field(compare=False, hash=False, repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def url(self) -> str:
        """The path with something in every place: an id that nothing has, or a name."""
        return re.sub(r"\{(\w+)[^}]*\}", lambda found: str(NOBODY) if found[1].endswith("_id") else "nobody", self.path)

    @property
    def changes(self) -> bool:
        return self.method in ("POST", "PUT")


@cache
def all_operations() -> list[Operation]:
    """Of our API. Made when first asked for: to write its document takes seconds, which collecting tests must not."""
    return operations(an_app())


def an_app() -> FastAPI:
    """Ours, whose database is never opened."""
    return create_app(Settings(), Database("sqlite:///never-opened.db"))


def operations(app: FastAPI) -> list[Operation]:
    return [
        Operation(method.upper(), path, document)
        for path, methods in app.openapi()["paths"].items()
        for method, document in methods.items()
    ]


def routes(app: FastAPI) -> set[str]:
    """Every method and path that the app answers, also what OpenAPI does not tell of: `GET /healthz`."""
    return {f"{method} {path}" for method, path in _walk(app.routes, "")}


def _walk(found: Iterable[Any], prefix: str) -> Iterator[tuple[str, str]]:
    for route in found:
        if (router := getattr(route, "original_router", None)) is not None:
            yield from _walk(router.routes, prefix + route.include_context.prefix)
        elif isinstance(route, Route | APIRoute):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, prefix + route.path_format
        else:  # a mount or a web socket: a new kind of door, which somebody has to think about first
            raise AssertionError(f"what may whom call here: {route!r}")
