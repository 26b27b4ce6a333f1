"""What the driver did and was answered, and where the site is that must agree with it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID


class Site(Protocol):
    """Where everything of one running Graftwork can be looked at from outside."""

    @property
    def api_url(self) -> str: ...
    @property
    def admin_token(self) -> str: ...
    @property
    def database_url(self) -> str: ...
    @property
    def bootstrap_servers(self) -> str | None:
        """None: embedded, there are no topics."""

    @property
    def artifacts(self) -> Path:
        """The artifact store's root folder."""

    @property
    def job_lease_seconds(self) -> float: ...


@dataclass(frozen=True)
class AliasMove:
    """A move that was answered with 200: `expected` is the move that its `If-Match` named, None for `If-None-Match`."""

    id: UUID
    model: str
    alias: str
    version_id: UUID | None
    expected: UUID | None


@dataclass(frozen=True)
class Answer:
    """One answer to a request that carried an Idempotency-Key. 5xx answers and lost ones are none."""

    route: str
    """`POST /v1/jobs`."""
    key: str
    status: int
    body: str


@dataclass(frozen=True)
class Request:
    """One request to a gateway, as its sender saw it; moments are `time.time()`."""

    gateway: str
    asked: float
    answered: float
    status: int | None
    """None: the connection was refused, cut, or timed out."""
    variant: str | None = None
    rollout: str | None = None


@dataclass(frozen=True)
class Cut:
    """A gateway that could not reach the API, from one moment to another (`time.time()`)."""

    gateway: str
    since: float
    until: float
    lease_seconds: float
    """The lease of the canary policy that was in force."""


@dataclass(frozen=True)
class Pause:
    """A gateway that was stopped where it stood (SIGSTOP) at that moment (`time.time()`)."""

    gateway: str
    since: float


@dataclass(frozen=True)
class Trouble:
    """Something was done to a gateway at `since`, and at `until` it had proved that it serves again (`time.time()`)."""

    gateway: str
    since: float
    until: float


@dataclass
class Expected:
    """Grows while a round runs; a driver's threads may add to it at the same time.

    Of one round or of all rounds so far: an auditor remembers what it has seen.
    """

    jobs: set[UUID] = field(default_factory=set)
    """Accepted: `POST /v1/jobs` was answered with 2xx."""
    runs: set[UUID] = field(default_factory=set)
    rollouts: set[UUID] = field(default_factory=set)
    """Started."""
    rollbacks: set[UUID] = field(default_factory=set)
    moves: set[AliasMove] = field(default_factory=set)
    events: set[tuple[str, str]] = field(default_factory=set)
    """(source, id) that the API answered with 202 or the broker acknowledged."""
    poison: set[tuple[str, str]] = field(default_factory=set)
    """(source, id) of events that are meant to end as dead letters."""
    feedback: dict[str, bool] = field(default_factory=dict)
    """Accepted prediction id to `counted` of its first answer."""
    answers: list[Answer] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    """Tokens and row texts: nowhere in a fact, a topic, a reason or a job's log."""
    keyed: bool = True
    """Whoever asks for jobs sends Idempotency-Keys: a job that no stored answer names is a second effect."""
    relay_disturbed: bool = True
    """The relay, its database or its broker was killed, stopped or restarted since the last look. Only then may a fact
    be on its topic more than once."""
