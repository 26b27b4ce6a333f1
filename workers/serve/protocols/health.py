"""Whether a gateway lives and serves, for whoever starts it or balances load: open to everybody."""

from typing import Any

from fastapi import APIRouter

from schemas.problem import refusals
from workers.serve.gateway import Gateway


def routes(gateway: Gateway) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz", responses=refusals(503))
    async def readyz() -> dict[str, Any]:
        generation, stable = gateway.units.serving()
        return {"status": "ok", "generation": generation.generation, "stable": str(stable.id)}

    return router
