"""A gateway as its callers ask it."""

from collections.abc import Sequence

from controlplane.client.connection import Connection
from schemas.views.predictions import PredictAnswer


class Gateway:
    """One gateway, or what stands in front of several."""

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 30) -> None:
        self._http = Connection(url, token, timeout)

    def predict(self, texts: Sequence[str], *, session_key: str | None = None) -> PredictAnswer:
        """All of them by one version."""
        body = {"texts": list(texts), **({"session_key": session_key} if session_key else {})}
        return self._http.post(PredictAnswer, "/v1/predict", body)
