"""The worker's HTTP: every body is a schema, every refusal has a class."""

from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from schemas.base import Tolerant
from schemas.claims import (
    Claim,
    ClaimRequest,
    ClaimResponse,
    Completion,
    Failure,
    Heartbeat,
    HeartbeatResponse,
    Release,
)

T = TypeVar("T", bound=BaseModel)
TIMEOUT = httpx.Timeout(10.0, connect=5.0)
PASSING = frozenset({408, 425, 429})
CONFLICT, NOT_FOUND = 409, 404


class ApiError(Exception):
    """The control plane did not do what was asked"""


class Unreachable(ApiError):
    """It did not answer, or said that it cannot now: ask again"""


class Refused(ApiError):
    """It will not, however often it is asked"""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


class LostLease(Refused):
    """The attempt is over: whatever it does has no effect"""


class Api:
    """One worker's connection; safe to use from its threads."""

    def __init__(self, url: str, token: str | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT)

    def claim(self, request: ClaimRequest) -> Claim | None:
        return self._post("/v1/jobs:claim", request, ClaimResponse).claim

    def heartbeat(self, job_id: UUID, beat: Heartbeat) -> HeartbeatResponse:
        return self._post(f"/v1/jobs/{job_id}:heartbeat", beat, HeartbeatResponse)

    def complete(self, job_id: UUID, completion: Completion) -> None:
        self._post(f"/v1/jobs/{job_id}:complete", completion, Tolerant)

    def fail(self, job_id: UUID, failure: Failure) -> None:
        self._post(f"/v1/jobs/{job_id}:fail", failure, Tolerant)

    def release(self, job_id: UUID, release: Release) -> None:
        self._post(f"/v1/jobs/{job_id}:release", release, Tolerant)

    def get(self, path: str, params: dict[str, Any], answer: type[T], timeout: float) -> T:
        """One GET that the server may hold open for `timeout` seconds."""
        try:
            response = self._client.get(path, params=params, timeout=httpx.Timeout(timeout + 10, connect=5.0))
        except httpx.TransportError as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        return _answer(response, answer)

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _post(self, path: str, body: BaseModel, answer: type[T]) -> T:
        headers = {"Content-Type": "application/json"}
        try:
            # Without what is not set, so that an older control plane does not meet a field that it does not know.
            response = self._client.post(path, content=body.model_dump_json(exclude_none=True), headers=headers)
        except httpx.TransportError as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        return _answer(response, answer)


def _answer(response: httpx.Response, answer: type[T]) -> T:
    """Raises Unreachable, LostLease or Refused for anything but a success."""
    status = response.status_code
    if status >= 500 or status in PASSING:
        raise Unreachable(f"{status} from {response.request.url.path}")
    if not response.is_success:
        problem = LostLease if status in (CONFLICT, NOT_FOUND) else Refused
        raise problem(status, _detail(response))
    try:
        return answer.model_validate_json(response.content)
    except ValidationError as error:
        raise Unreachable(f"{response.request.url.path} answered what this worker cannot read") from error


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json().get("detail", ""))[:1500]
    except (ValueError, AttributeError):
        return response.text[:200]
