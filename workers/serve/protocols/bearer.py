"""Who may ask a gateway: whoever sends its token, where one is set."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.security import HTTPBearer

from processes.sign_ins import FailedSignIns
from workers.serve.problems import Problem
from workers.serve.settings import GatewaySettings

BEARER = HTTPBearer(scheme_name="token", description="GRAFTWORK_GATEWAY_TOKEN, where it is set.", auto_error=False)


def bearer(settings: GatewaySettings) -> Callable[[Request], Awaitable[None]]:
    token = settings.gateway_token_value()
    expected = _digest(token) if token is not None else None
    failed = FailedSignIns(settings.failed_logins_per_minute)

    async def check(request: Request) -> None:
        if expected is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(_digest(given), expected):
            return
        refusal = Problem(
            401, "unauthorized", "A token is needed", "expected `Authorization: Bearer` with this gateway's token"
        )
        wait = failed.count(request.client.host if request.client else None, given) if given else None
        if wait is not None:
            title = "Too many failed sign-ins from here"
            refusal = Problem(429, "too-many-failures", title, "wait and try again", retry_after=wait)
        raise refusal

    return check


def _digest(token: str) -> bytes:
    """A token's digest, of one length whatever somebody sends: comparing takes a time that depends on neither."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
