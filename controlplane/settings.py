"""The one reader of the environment in the control plane; built once in `__main__` and handed down."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from processes.environment import Environment
from processes.secrets import ChosenSecret, GivenSecret

try:
    VERSION = version("graftwork")
except PackageNotFoundError:
    VERSION = "0+checkout"


class Settings(Environment):
    """Every field is an environment variable with the prefix GRAFTWORK_; durations are seconds, sizes are bytes."""

    home: Path = Path(".graftwork")
    """Where the embedded mode keeps everything: database, artifacts, cache, tokens, logs."""
    database_url: GivenSecret = None
    """`postgresql+psycopg://…`; None: SQLite in `home`."""
    artifacts_url: str | None = None
    """`s3://bucket/prefix`, `file:///…`; None: a folder in `home`."""
    host: str = "127.0.0.1"
    """Where the API listens."""
    port: int = Field(default=8700, ge=0, le=65535)
    """The TCP port on which the API listens."""

    ui_port: int | None = Field(default=None, ge=1, le=65535)
    """The TCP port on which the web UI listens, on the API's host; None: the one after the API's."""

    api_url: str | None = None
    """Where clients find the API; None: this host and port, and for verbs what `api.url` in `home` says instead of
    their defaults."""
    ui_url: str | None = None
    """Where people find the web UI, for verbs to print; None: what `ui.url` in `home` says, else nothing is printed."""
    token: GivenSecret = None
    """The caller's own token, with which it signs in to the API."""
    token_file: Path | None = None
    """Where the token is when it is not in the environment; None for the CLI: `admin.token` in `home`."""
    bootstrap_token: ChosenSecret = None
    """The first admin token, for deployments that inject secrets; None: minted into a 0600 file in `home`."""

    kafka_bootstrap_servers: str | None = None
    """None: embedded, the event table is the log."""
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """This and the ones below: as in Kafka's own clients."""
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: GivenSecret = None
    kafka_ssl_cafile: Path | None = None
    kafka_ssl_certfile: Path | None = None
    kafka_ssl_keyfile: Path | None = None
    kafka_replication_factor: int = Field(default=1, ge=1)
    """Copies that the broker keeps of each partition of the topics that we create."""

    job_lease_seconds: float = Field(default=30, gt=0)
    """A worker that is silent for so long has lost its job."""
    singleton_lease_seconds: float = Field(default=10, gt=0)
    """After so long without renewal another process may become the active relay, fact reader or reconciler."""
    gateway_silence_seconds: float = Field(default=10, gt=0)
    """A gateway that has not reported for so long is not live."""
    retention_days: float = Field(default=14, gt=0)
    """How long events, inbox, observations, labels, idempotency keys, logs, curves, fruitless jobs and closed dead
    letters are kept."""
    prune_seconds: float = Field(default=600, gt=0)
    """How often the reconciler deletes what is older than `retention_days`."""
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)
    """Bytes of the body of one request to the API, at most."""
    feed_subscribers: int = Field(default=200, ge=1)
    """So many requests may wait for events at once, in one process of the API."""
    failed_logins_per_minute: int = Field(default=30, ge=1)
    """Unknown tokens beyond that, from one address or with one beginning, are answered 429; good ones always pass."""
    trusted_proxies: str | None = None
    """Addresses, separated by commas, whose X-Forwarded-For says who calls; None: nobody's does."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least severe messages that a process logs, to stderr."""

    @field_validator("token_file")
    @classmethod
    def _is_there(cls, value: Path | None) -> Path | None:
        if value and not value.is_file():
            raise ValueError("expected a file that holds a token")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_a_database_we_know(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("postgresql+psycopg://", "sqlite:///")):
            raise ValueError("expected postgresql+psycopg://user:password@host/name or sqlite:////a/file.db")
        return value

    def resolved_database_url(self) -> str:
        if self.database_url:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home.absolute() / 'graftwork.db'}"

    def resolved_artifacts_url(self) -> str:
        return self.artifacts_url or (self.home.absolute() / "artifacts").as_uri()

    def data_folder(self) -> Path:
        """Files of one's own, which workers of `graftwork up` may read."""
        return self.home.absolute() / "data"

    def lacks_home(self) -> bool:
        """Whether the API's address or the token is to be found in a home folder that was named and is not there."""
        is_given = (bool(self.api_url or self.model_fields_set & {"host", "port"}), bool(self.token or self.token_file))
        return "home" in self.model_fields_set and not all(is_given) and not self.home.is_dir()

    def resolved_api_url(self) -> str:
        """Where verbs find the API: as given, else where the site of the home folder last came up."""
        if self.api_url or self.model_fields_set & {"host", "port"} or not self.api_url_file().is_file():
            return self.served_api_url()
        return self.api_url_file().read_text().strip()

    def served_api_url(self) -> str:
        """Where the API of this machine's site is found, once it listens."""
        return self.api_url or f"http://{self.host}:{self.port}"

    def ui_url_file(self) -> Path:
        """What `graftwork up` writes down for verbs that print where to look."""
        return self.home / "ui.url"

    def known_ui_url(self) -> str | None:
        """Where people look; None: nobody said."""
        file = self.ui_url_file()
        return self.ui_url or (file.read_text().strip() if file.is_file() else None)

    def served_ui_port(self) -> int:
        return self.ui_port or self.port + 1

    def served_ui_url(self) -> str:
        """Where this machine's web UI is found, once it listens."""
        return self.ui_url or f"http://{self.host}:{self.served_ui_port()}"

    def ui_sessions_folder(self) -> Path:
        """Who is signed in to the web UI."""
        return self.home.absolute() / "ui-sessions"

    def api_url_file(self) -> Path:
        """What `graftwork up` writes down for verbs that are told the home folder alone."""
        return self.home / "api.url"

    def resolved_token(self) -> str | None:
        """The caller's token: from the environment, else from the file named there, else from the home folder."""
        if self.token:
            return self.token.get_secret_value()
        if self.token_file:
            return self.token_file.read_text().strip()
        file = self.home / "admin.token"
        return file.read_text().strip() if file.is_file() else None
