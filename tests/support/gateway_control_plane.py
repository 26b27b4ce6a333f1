"""A hand-written control plane as a gateway sees it: the gateway routes, kept in memory."""

import asyncio
import time
from collections.abc import Callable

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response

from schemas.problem import MEDIA_TYPE
from schemas.serving import (
    GatewayBoot,
    GatewayReport,
    Generation,
    LostUnits,
    Observation,
    ObservationAnswer,
)


class FakeControlPlane:
    """Set `generation` and `lease_seconds`; read what was told. `refuse` gives a second its status."""

    def __init__(self, generation: Generation | None = None, lease_seconds: float = 15.0) -> None:
        self.generation = generation
        self.lease_seconds = lease_seconds
        self.boots: list[GatewayBoot] = []
        self.reports: list[GatewayReport] = []
        self.observations: list[Observation] = []
        self.lost: list[LostUnits] = []
        self.stopping = False
        """Ends waiting polls, so that the server can stop without breaking them off."""
        self.refuse: Callable[[int], int] = lambda _second: 200
        self.app = self._build()

    def _build(self) -> FastAPI:
        app = FastAPI()
        self._add_generation(app)
        self._add_observations(app)
        self._add_records(app)
        return app

    def _add_generation(self, app: FastAPI) -> None:
        @app.get("/v1/deployments/{name}/generation")
        async def generation(name: str, after: int = -1, wait: int = 0) -> Response:
            until = time.monotonic() + wait
            while not self._newer(after):
                if self.stopping or time.monotonic() >= until:
                    return Response(status_code=204)
                await asyncio.sleep(0.02)
            assert self.generation is not None
            return Response(self.generation.model_dump_json(), media_type="application/json")

    def _add_observations(self, app: FastAPI) -> None:
        @app.post("/v1/gateway/observations")
        async def observations(observation: Observation) -> Response:
            status = self.refuse(observation.second)
            if status != 200:
                return JSONResponse({"detail": "refused by the test"}, status, media_type=MEDIA_TYPE)
            self.observations.append(observation)
            answer = ObservationAnswer(watermark=observation.second, lease_seconds=self.lease_seconds)
            return Response(answer.model_dump_json(), media_type="application/json")

    def _add_records(self, app: FastAPI) -> None:
        @app.post("/v1/gateway/boots", status_code=204)
        async def boots(boot: GatewayBoot) -> None:
            self.boots.append(boot)

        @app.post("/v1/gateway/reports", status_code=204)
        async def reports(report: GatewayReport) -> None:
            self.reports.append(report)

        @app.post("/v1/gateway/lost-units", status_code=204)
        async def lost(units: LostUnits) -> None:
            self.lost.append(units)

    def _newer(self, after: int) -> bool:
        return self.generation is not None and self.generation.generation > after
