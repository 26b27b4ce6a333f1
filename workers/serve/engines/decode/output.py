"""One answer as it is written: tokens become pieces of text, until a stop token, a stop string or a limit."""

from collections.abc import Collection, Sequence

from workers.base.tokenizer import TextTokenizer
from workers.serve.engines.decode.detokeniser import Detokeniser
from workers.serve.engines.decode.stops import StopStrings
from workers.tasks.text_generation.writing import FinishReason, Written


class Output:
    def __init__(
        self,
        tokenizer: TextTokenizer,
        prompt_tokens: int,
        stop_token_ids: Collection[int],
        stop: Sequence[str],
        limit: int,
    ) -> None:
        """`limit`: tokens at most, one at least."""
        self._detokeniser, self._stops = Detokeniser(tokenizer), StopStrings(stop)
        self._prompt_tokens, self._stop_token_ids = prompt_tokens, frozenset(stop_token_ids)
        self.limit = limit
        self.tokens = 0
        """Written so far, without one that only ends the text."""

    def add(self, token: int) -> Written | None:
        """What is told of it; None: nothing yet. The first token is told of even where its text is held back."""
        if token in self._stop_token_ids:
            return self._end("", "stop")
        self.tokens += 1
        text, stopped = self._stops.add(self._detokeniser.add(token))
        if stopped:
            return self._written(text, "stop")
        if self.tokens >= self.limit:
            return self._end(text, "length")
        return self._written(text) if text or self.tokens == 1 else None

    def _end(self, text: str, reason: FinishReason) -> Written:
        more, stopped = self._stops.add(self._detokeniser.rest())
        return self._written(text + more + self._stops.rest(), "stop" if stopped else reason)

    def _written(self, text: str, reason: FinishReason | None = None) -> Written:
        return Written(text, reason, self._prompt_tokens, self.tokens)
