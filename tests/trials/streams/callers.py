"""Callers of OpenAI's endpoint, several at once on connections that are kept alive, who leave as it was planned."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID

import httpx

from schemas.prediction_id import verify_prediction_id
from schemas.serving import Arm, PredictionClaims
from tests.trials.streams.plan import Planned
from tests.trials.streams.seen import Ending, Seen

AT_ONCE: Final = 24
PATH: Final = "/v1/chat/completions"
IDLE_SECONDS: Final = 3.0
"""A gateway closes an idle connection after 5 s: one that may be closing is not used again."""
NOBODY_THERE_SECONDS: Final = 0.2
TIMEOUT: Final = httpx.Timeout(60)
DATA, DONE = "data: ", "[DONE]"


class Listener(Protocol):
    """A gateway, and the life of it that listens; None: none does."""

    @property
    def url(self) -> str: ...
    @property
    def boot(self) -> UUID | None: ...


class NotSent(Exception):
    """Nobody took the connection: no request was sent."""


@dataclass
class Callers:
    """`sent` and `seen` grow as requests go out and end."""

    gateways: Sequence[Listener]
    model: str
    signing_key: str
    named_version: str
    """What those ask for who name a version; it is served all the time."""
    seen: list[Seen] = field(default_factory=list)
    sent: int = 0

    async def ask(self, requests: Sequence[Planned]) -> None:
        waiting = iter(requests)
        await asyncio.gather(*(self._ask_in_turn(waiting) for _ in range(AT_ONCE)))

    async def _ask_in_turn(self, waiting: Iterator[Planned]) -> None:
        lines = _Lines()
        try:
            for planned in waiting:
                self.seen.append(await self._until_sent(planned, lines))
                self.sent += 1
                await asyncio.sleep(planned.thought)
        finally:
            await lines.close()

    async def _until_sent(self, planned: Planned, lines: "_Lines") -> Seen:
        gateways = [*self.gateways[planned.prefers :], *self.gateways[: planned.prefers]]
        while True:
            for gateway in gateways:
                if (boot := gateway.boot) is not None:
                    http = await lines.to(gateway.url, boot)
                    try:
                        seen = await self._send(planned, http, boot)
                    except NotSent:
                        continue
                    if seen.ending == "left":
                        await lines.drop(gateway.url)
                    return seen
            await asyncio.sleep(NOBODY_THERE_SECONDS)

    async def _send(self, planned: Planned, http: httpx.AsyncClient, boot: UUID) -> Seen:
        request = http.build_request("POST", PATH, json=self._body(planned), headers=_headers(planned))
        sending = asyncio.create_task(http.send(request, stream=True))
        await asyncio.wait([sending], timeout=planned.patience if planned.way == "no piece" else None)
        sending.cancel()  # which does nothing to an answer that has come
        try:
            response = await sending
        except asyncio.CancelledError:
            return _seen(planned, boot, "left")
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise NotSent from None
        except httpx.TransportError as error:
            return _seen(planned, boot, "gone", fault=type(error).__name__)
        try:
            return await self._read(planned, response, boot)
        finally:
            await response.aclose()

    async def _read(self, planned: Planned, response: httpx.Response, boot: UUID) -> Seen:
        arm = response.headers.get("x-variant")
        ending: Ending
        claims: PredictionClaims | None = None
        try:
            if response.is_success and planned.way == "whole":
                ending, claims = "finished", self._claims(json.loads(await response.aread()))
            elif response.is_success:
                ending, claims = await self._read_pieces(planned, response)
            else:
                await response.aread()
                ending = "failed" if arm else "refused"
        except httpx.TransportError as error:
            return _seen(planned, boot, "cut", arm, fault=type(error).__name__)
        return _seen(planned, boot, ending, arm, claims)

    async def _read_pieces(self, planned: Planned, response: httpx.Response) -> tuple[Ending, PredictionClaims | None]:
        most = {"some pieces": planned.pieces, "no piece": 0}.get(planned.way)
        if most == 0:
            return "hung up", None
        ending: Ending = "cut"
        claims: PredictionClaims | None = None
        pieces = 0
        async for line in response.aiter_lines():
            if not line.startswith(DATA):
                continue
            pieces += 1
            if (told := line.removeprefix(DATA)) == DONE:
                ending = "finished"
            elif "error" in (document := json.loads(told)):
                ending = "failed"
            elif pieces == most:
                return "hung up", None
            else:
                claims = self._claims(document) or claims
        return ending, claims

    def _claims(self, document: dict[str, Any]) -> PredictionClaims | None:
        signed = document["choices"][0].get("prediction_id")
        return verify_prediction_id(signed, lambda _: self.signing_key) if signed else None

    def _body(self, planned: Planned) -> dict[str, Any]:
        return {
            "model": self.named_version if planned.way == "by name" else self.model,
            "messages": [{"role": "user", "content": planned.prompt}],
            "max_tokens": planned.max_tokens,
            "temperature": 0,
            "stream": planned.way != "whole",
        }


class _Lines:
    """One caller's connections, one to each gateway: each belongs to one life of it."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[UUID, httpx.AsyncClient]] = {}

    async def to(self, url: str, boot: UUID) -> httpx.AsyncClient:
        if url in self._open:
            of, http = self._open[url]
            if of == boot:
                return http
            await http.aclose()
        limits = httpx.Limits(max_connections=1, keepalive_expiry=IDLE_SECONDS)
        http = httpx.AsyncClient(base_url=url, timeout=TIMEOUT, limits=limits)
        self._open[url] = (boot, http)
        return http

    async def drop(self, url: str) -> None:
        """httpcore may never give back the connection of a request that was cancelled while it was being sent."""
        _, http = self._open.pop(url)
        await http.aclose()

    async def close(self) -> None:
        for _, http in self._open.values():
            await http.aclose()


def _headers(planned: Planned) -> dict[str, str]:
    return {"x-session-key": planned.key} if planned.key else {}


def _seen(
    planned: Planned,
    boot: UUID,
    ending: Ending,
    arm: Arm | None = None,
    claims: PredictionClaims | None = None,
    fault: str | None = None,
) -> Seen:
    chosen = planned.way == "by name"
    return Seen(planned.number, boot, ending, planned.key, arm, chosen, claims, fault)
