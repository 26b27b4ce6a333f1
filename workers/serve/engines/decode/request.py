"""One text that is asked of a version, from its prompt to its last token."""

from dataclasses import dataclass

import numpy as np

from workers.base.arrays import Logits
from workers.serve.engines.decode.output import Output
from workers.serve.engines.decode.reader import Reader
from workers.serve.engines.decode.sampling import Sampler
from workers.serve.engines.port import Unanswerable


@dataclass(eq=False)
class Request:
    version: str
    """As its session knows it."""
    ids: list[int]
    """The prompt, and what has been written behind it."""
    sampler: Sampler
    output: Output
    reader: Reader | None
    """None: it is written for nobody, to see how long it takes."""
    given_up: bool = False
    """Nobody reads it any more."""

    def write(self, logits: Logits) -> bool:
        """The next token; whether the text has ended with it."""
        if not np.isfinite(logits).all():
            self.fail("logits that are not finite")
            return True
        token = self.sampler.choose(logits)
        self.ids.append(token)
        written = self.output.add(token)
        if written is not None and self.reader is not None:
            self.reader.tell(written)
        return written is not None and written.finish_reason is not None

    def fail(self, reason: str) -> None:
        if self.reader is not None:
            self.reader.fail(Unanswerable(reason))

    def still_to_write(self, typical: float) -> float:
        """Tokens, where answers have so many typically."""
        return min(self.output.limit, max(typical, self.output.tokens + 1)) - self.output.tokens
