"""One streamed answer: what its unit's end depends on is read in a task of its own, however slowly it is told."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self, cast

from schemas.serving import Arm, Generation, ServedVersion
from workers.serve.engines.port import Piece, Unanswerable
from workers.serve.problems import Problem
from workers.serve.rollout.admitted import Admitted, abandoned, failed, given_up
from workers.serve.rollout.callers import Caller, HungUp, Left

logger = logging.getLogger(__name__)

OpenPieces = Callable[[], AsyncIterator[Piece]]


class Streamed:
    """The payloads of one answer, as they come; its first is there.

    Whoever got it closes it, best with `async with`: closed before its end, its caller has hung up. One that nobody
    reads or closes ends by itself, at its last piece or at its deadline; a slow reader makes no version late.
    """

    prediction_id: str | None = None
    """Once the last payload was read; an answer that was cut short has none."""

    def __init__(self, unit: Admitted, open_pieces: OpenPieces, left: Left | None) -> None:
        self._unit, self._caller = unit, Caller(left)
        self._payloads: deque[Any] = deque()
        self._news = asyncio.Event()
        self._over, self._begun = False, False
        self._problem: Problem | None = None
        self.reading = asyncio.create_task(self._read(open_pieces))
        # cancelled before it began, it has ended nothing
        self.reading.add_done_callback(lambda _: self._end(given_up()))

    @property
    def request_id(self) -> str:
        return self._unit.draw.request_id

    @property
    def generation(self) -> Generation:
        return self._unit.draw.generation

    @property
    def version(self) -> ServedVersion:
        return self._unit.draw.version

    @property
    def arm(self) -> Arm:
        return self._unit.draw.arm

    @property
    def headers(self) -> dict[str, str]:
        return self._unit.draw.headers

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        """Raises Problem where the answer broke off."""
        await self.ready()
        if self._payloads:
            return self._payloads.popleft()
        raise StopAsyncIteration

    async def ready(self) -> None:
        """Something can be read, or everything was; raises Problem where it broke off."""
        while not self._payloads and not self._over:
            self._news.clear()
            await self._news.wait()
        if not self._payloads and self._problem is not None:
            raise self._problem

    async def aclose(self) -> None:
        """The caller wants no more of it."""
        self._caller.hang_up()
        await asyncio.wait([self.reading])

    def give_up(self) -> None:
        """The server wants no more of it: it is given up once `reading` is done."""
        self.reading.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _read(self, open_pieces: OpenPieces) -> None:
        pieces: AsyncIterator[Piece] | None = None
        try:
            async with self._caller, asyncio.timeout(self._unit.seconds_left) as limit:
                pieces = open_pieces()
                last = await self._read_to_the_last(pieces, limit)
        except TimeoutError:
            self._end(self._unit.late())
        except HungUp:
            self._end(None if self._begun else abandoned())
        except asyncio.CancelledError:
            self._end(given_up())
        except Exception as error:
            self._end(failed(error))
        else:
            self._end(None, last)
        finally:
            await _close(pieces)

    async def _read_to_the_last(self, pieces: AsyncIterator[Piece], limit: asyncio.Timeout) -> Piece:
        async for piece in pieces:
            if not self._begun:
                self._begin(limit)
            if piece.outcome is not None:
                return piece
            self._tell(piece.payload)
        raise Unanswerable("an answer without an end")

    def _begin(self, limit: asyncio.Timeout) -> None:
        if not self._unit.begin():
            raise TimeoutError
        self._begun = True
        limit.reschedule(asyncio.get_running_loop().time() + self._unit.seconds_left)

    def _tell(self, payload: Any) -> None:
        self._payloads.append(payload)
        self._news.set()

    def _end(self, problem: Problem | None, last: Piece | None = None) -> None:
        """Counted before it is told."""
        if self._over:
            return
        self._over, self._problem = True, self._unit.end(problem)
        if last is not None and last.outcome is not None and self._problem is None:
            self.prediction_id = self._unit.signed(0, last.outcome)
            self._payloads.append(last.payload)
        self._news.set()


async def _close(pieces: AsyncIterator[Piece] | None) -> None:
    if pieces is None:
        return
    try:
        await cast(AsyncGenerator[Piece, None], pieces).aclose()
    except Exception as error:
        # the class only: a library's message may quote a row
        logger.warning("an answer could not be closed: %s", type(error).__name__)
