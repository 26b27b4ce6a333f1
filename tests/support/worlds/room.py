"""A gateway that writes texts, and OpenAI's client for it."""

from typing import Any

import httpx
import openai

from tests.support.worlds.gateway import GatewayInProcess
from tests.support.writing_engine import (
    WORDS,
    WritingEngine,
    text_of,
)

CANARY = "a planted text that no log and no refusal may quote"
MESSAGES: list[Any] = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": CANARY}]
TEXT = text_of(1)
TOKENS = len(WORDS) + 1


class Room:
    """A gateway whose engine writes, and OpenAI's client for it."""

    def __init__(self, site: GatewayInProcess, http: httpx.Client, engine: WritingEngine) -> None:
        self.site, self.http, self.engine = site, http, engine
        self.client = openai.OpenAI(base_url=f"{http.base_url}/v1", api_key="none", max_retries=0, timeout=30)

    def chat(self, messages: list[Any] | None = None, **members: Any) -> Any:
        return self.client.chat.completions.create(**{"model": "movies", "messages": messages or MESSAGES} | members)

    def complete(self, prompt: Any = CANARY, **members: Any) -> Any:
        return self.client.completions.create(**{"model": "movies", "prompt": prompt} | members)

    def ended(self, outcome: str) -> float:
        """How many requests of any arm have ended so."""
        lines = self.http.get("/metrics").text.splitlines()
        counts = [line.rsplit(" ", 1) for line in lines if line.startswith("graftwork_gateway_requests_total{")]
        return sum(float(count) for labels, count in counts if f'outcome="{outcome}"' in labels)
