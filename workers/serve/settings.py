"""A gateway's settings: the command line says which gateway, the environment says the rest."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from processes.environment import Environment
from processes.secrets import ChosenSecret, GivenSecret
from schemas.artifacts import Name

GatewayName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
"""Also the name of its folder."""


class GatewaySettings(Environment):
    """Fields that the command line does not set are environment variables with the prefix GRAFTWORK_."""

    deployment: Name
    name: GatewayName
    host: str
    port: int = Field(ge=0, le=65535)

    api_url: str = "http://127.0.0.1:8700"
    token: GivenSecret = None
    """The gateway's own, of role gateway."""
    token_file: Path | None = None
    gateway_token: ChosenSecret = None
    """What callers must send as a bearer token; None: nothing, and then only loopback is served."""
    home: Path = Path(".graftwork")
    artifacts_url: str | None = None
    """None: a folder in `home`."""
    failed_logins_per_minute: int = Field(default=30, ge=1)
    """Unknown tokens beyond that, from one address or with one beginning, are answered 429; good ones always pass."""
    trusted_proxies: str | None = None
    """Addresses, separated by commas, whose X-Forwarded-For says who calls; None: nobody's does."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="after")
    def _guarded(self) -> "GatewaySettings":
        if self.gateway_token is None and not _is_loopback(self.host):
            raise ValueError(
                f"host {self.host!r} is reachable from outside: expected GRAFTWORK_GATEWAY_TOKEN to be set"
            )
        return self

    def token_value(self) -> str | None:
        if self.token is not None:
            return self.token.get_secret_value()
        return self.token_file.read_text().strip() if self.token_file else None

    def gateway_token_value(self) -> str | None:
        return self.gateway_token.get_secret_value() if self.gateway_token else None

    def artifacts_root(self) -> str:
        return self.artifacts_url or (self.home.absolute() / "artifacts").as_uri()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
