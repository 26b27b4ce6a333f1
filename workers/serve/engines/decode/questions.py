"""What is asked, as the versions that may be drawn read it: whether each can take it is known before it is queued."""

import math
from typing import Final

from workers.runtime.errors import JobError
from workers.serve.engines.decode.bases import Loaded
from workers.serve.problems import wrong
from workers.tasks.text_generation.prompts import Prompts
from workers.tasks.text_generation.writing import Asked

MAX_CHARACTERS_PER_TOKEN: Final = 32
"""Characters of a prompt for each token that its base takes: a longer one is refused unread, for tokenising it would
hold up everybody else. A token of plain text has four."""


class Question:
    """Tokenised once for all versions that read alike: those of one base with one chat template."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self._prompts: dict[Prompts, list[int]] = {}

    def prompt(self, loaded: Loaded) -> list[int]:
        """The version's token ids. Raises Problem, which names the field."""
        if loaded.prompts not in self._prompts:
            self._prompts[loaded.prompts] = _prompt_of(self.asked, loaded)
        return self._prompts[loaded.prompts]


def _prompt_of(asked: Asked, loaded: Loaded) -> list[int]:
    _check_numbers(asked)
    field = "prompt" if asked.messages is None else "messages"
    contents = [asked.prompt or ""] if asked.messages is None else [one["content"] for one in asked.messages]
    most = loaded.context_length * MAX_CHARACTERS_PER_TOKEN
    if (characters := sum(map(len, contents))) > most:
        raise wrong(field, f"{characters} characters, expected at most {most}")
    if asked.messages is None:
        ids = loaded.prompts.of_text(asked.prompt or "")
    elif loaded.prompts.template is None:
        raise wrong("messages", "the version's base has no chat template; expected prompt")
    else:
        try:
            ids = loaded.prompts.of_messages(asked.messages)
        except JobError as error:
            raise wrong("messages", error.reason) from None
    if not 0 < len(ids) <= loaded.context_length:
        raise wrong(field, f"{len(ids)} tokens, expected 1 to {loaded.context_length}, which the version takes")
    return ids


def _check_numbers(asked: Asked) -> None:
    """What a draw cannot be made with would end the texts beside it too."""
    if asked.max_tokens is not None and asked.max_tokens < 1:
        raise wrong("max_tokens", f"{asked.max_tokens}, expected at least 1")
    if not 0 <= asked.temperature < math.inf:
        raise wrong("temperature", f"{asked.temperature}, expected at least 0")
    if not 0 <= asked.top_p <= 1:
        raise wrong("top_p", f"{asked.top_p}, expected 0 to 1")
