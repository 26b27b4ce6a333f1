"""The gateway's HTTP client of the control plane."""

import logging
from dataclasses import dataclass
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from schemas.problem import MEDIA_TYPE
from schemas.serving import GatewayBoot, GatewayReport, Generation, LostUnits, ObservationAnswer

logger = logging.getLogger(__name__)
M = TypeVar("M", bound=BaseModel)

TIMEOUT_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 0.5
"""Until what could not be sent is tried again."""
NOT_FOUND, CONFLICT = 404, 409
"""How a boot is refused that nobody has registered, and a second that comes too late."""
_REFUSALS_THAT_PASS: Final = frozenset({401, 403, 408, 425, 429})
"""A token may be replaced and a quota may refill: tried again, the body is not at fault."""


class Unreachable(Exception):
    """The control plane does not answer, or not now; the same request may succeed later."""


@dataclass
class Refused(Exception):
    """The control plane refuses this request for good."""

    status: int
    detail: str

    def __str__(self) -> str:
        return f"{self.status} {self.detail}"


class ControlPlane:
    def __init__(self, api_url: str, token: str | None, deployment: str) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(base_url=api_url, headers=headers, timeout=TIMEOUT_SECONDS)
        self._deployment = deployment

    async def close(self) -> None:
        await self._client.aclose()

    async def generation(self, after: int | None, wait: int, timeout: float) -> Generation | None:
        """The desired state once it is newer than `after`; None when the wait ended without a change."""
        query = {"wait": wait} if after is None else {"after": after, "wait": wait}
        url = f"/v1/deployments/{self._deployment}/generation"
        response = await self._send("GET", url, params=query, timeout=timeout)
        return _parse(Generation, response) if response.status_code == httpx.codes.OK else None

    async def register(self, boot: GatewayBoot) -> None:
        await self._post("/v1/gateway/boots", boot)

    async def report(self, report: GatewayReport) -> None:
        await self._post("/v1/gateway/reports", report)

    async def observe(self, body: str) -> ObservationAnswer:
        """Takes JSON, so that every retry sends the same bytes."""
        headers = {"content-type": "application/json"}
        response = await self._send("POST", "/v1/gateway/observations", content=body, headers=headers)
        return _parse(ObservationAnswer, response)

    async def report_lost(self, lost: LostUnits) -> None:
        await self._post("/v1/gateway/lost-units", lost)

    async def _post(self, url: str, body: BaseModel) -> None:
        headers = {"content-type": "application/json"}
        response = await self._send("POST", url, content=body.model_dump_json(), headers=headers)
        if response.status_code != httpx.codes.NO_CONTENT:
            raise Unreachable(f"{response.status_code} from {url}: expected 204")

    async def _send(self, method: str, url: str, **options: object) -> httpx.Response:
        try:
            response = await self._client.request(method, url, **options)  # type: ignore[arg-type]
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        status = response.status_code
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in _REFUSALS_THAT_PASS:
            raise Unreachable(f"{status} from {url}")
        if status >= httpx.codes.BAD_REQUEST:
            if not response.headers.get("content-type", "").startswith(MEDIA_TYPE):
                raise Unreachable(f"{status} from {url}, which the control plane has not said")
            raise Refused(status, response.text[:200])
        return response


def _parse(model: type[M], response: httpx.Response) -> M:
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        raise Unreachable(f"{response.url.path} answered no {model.__name__}: {error.error_count()} errors") from error
