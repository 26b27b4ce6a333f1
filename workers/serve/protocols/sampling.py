"""How a text is to be written: what both protocols that ask a generator take, under OpenAI's names."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from workers.serve.protocols.requests import NullIsAbsent
from workers.tasks.text_generation.writing import Asked

MAX_STOPS = 4
"""Stop strings of one request."""
MAX_STOP_CHARACTERS = 100
"""Characters of a stop string."""
MAX_TEMPERATURE = 2.0
"""The temperature at which a text may be drawn."""


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Stop = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]
Stops = Annotated[tuple[Stop, ...], BeforeValidator(_listed, json_schema_input_type=str | list[str])]


class Sampling(NullIsAbsent):
    """Tokens are drawn at `temperature` from the most probable that together have `top_p`."""

    max_tokens: int | None = Field(default=None, ge=1, lt=1 << 31)
    """The longest answer; null: as long as the base's context leaves room for. Unit: tokens."""
    temperature: float = Field(default=1.0, ge=0, le=MAX_TEMPERATURE)
    """0: always the most probable token."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Unit: probability."""
    seed: int | None = Field(default=None, ge=0, lt=1 << 63)
    """The same seed draws the same text from the same version; null: another one each time."""
    stop: Stops = Field(default=(), max_length=MAX_STOPS)
    """One text or a list of them; the answer ends before the first of these."""

    def asked(
        self,
        *,
        prompt: str | None = None,
        messages: Sequence[Mapping[str, str]] | None = None,
        max_tokens: int | None = None,
    ) -> Asked:
        """`max_tokens`: under the endpoint's other name for it."""
        return Asked(
            messages=messages,
            prompt=prompt,
            max_tokens=max_tokens or self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            stop=self.stop,
        )
