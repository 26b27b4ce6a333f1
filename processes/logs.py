"""How every process of ours writes its log: to stderr, and of an exception its class and places, never its message.

A message may quote a row, a request's text or a key (pydantic's quotes the input); libraries log tracebacks too.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class DiscreetFormatter(logging.Formatter):
    """A traceback with the lines of code, and with the exceptions' classes alone."""

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # the standard formatter keeps its own words there for the next handler
        try:
            return super().format(record)
        finally:
            record.exc_text = None

    def formatException(self, ei: _ExcInfo) -> str:
        return "\n".join(_words(ei[1])) if ei[1] is not None else ""


def log_to_stderr(level: str, quiet: tuple[str, ...] = ()) -> None:
    """`quiet`: libraries of which only warnings are worth a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(DiscreetFormatter(FORMAT))
    logging.basicConfig(level=level, handlers=[handler])
    for name in quiet:
        logging.getLogger(name).setLevel(logging.WARNING)


def _words(error: BaseException) -> Iterator[str]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield f"{type(current).__module__}.{type(current).__qualname__}"
        for frame in traceback.extract_tb(current.__traceback__):
            yield f"  {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}"
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
