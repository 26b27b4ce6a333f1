"""What a text generation is asked, and what it answers: pieces of a text, as they are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.outcomes import outcome_of as outcome_of

FinishReason = Literal["stop", "length"]
"""OpenAI's words: `stop`, at a stop token or a stop string; `length`, at `max_tokens` or the end of the context."""


@dataclass(frozen=True)
class Asked:
    """One text that is asked for: exactly one of `messages` and `prompt`."""

    messages: Sequence[Mapping[str, str]] | None = None
    """A conversation, `role` and `content` each, that the base's chat template makes a prompt of."""
    prompt: str | None = None
    """Text to go on from."""
    max_tokens: int | None = None
    """Tokens of the answer at most; None: as many as the base's context leaves."""
    temperature: float = 1.0
    """0: greedy."""
    top_p: float = 1.0
    """The most probable tokens that together have this probability are drawn from. Unit: probability."""
    seed: int | None = None
    """The same seed draws the same text from the same version; None: another one each time."""
    stop: tuple[str, ...] = ()
    """The answer ends before the first of these."""


@dataclass(frozen=True)
class Written:
    """A piece of an answer: what was written since the last one."""

    text: str
    finish_reason: FinishReason | None = None
    """None: more comes."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Tokens of the answer so far, those of earlier pieces too."""
