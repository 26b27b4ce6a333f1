"""One thread that writes all texts of a base: they join and leave between two steps.

Continuous batching (Orca, https://www.usenix.org/conference/osdi22/presentation/yu). A round is one step, a token of
each text, and then some prompt tokens of each version.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from workers.base.arrays import Logits
from workers.graph.decoder.reading import Reading, read_together
from workers.graph.decoder.session import DecoderSession
from workers.runtime.errors import JobError
from workers.serve.engines.decode.batch import Batch
from workers.serve.engines.decode.forecast import RUN_TOKENS, Measured, first_token_seconds
from workers.serve.engines.decode.lanes import MAX_WAITING, Lane, Lanes
from workers.serve.engines.decode.prefill import Part, padded_tokens, parts_of, runs_of, share
from workers.serve.engines.decode.request import Request
from workers.serve.engines.pace import Pace

logger = logging.getLogger(__name__)

STALE_SECONDS = 10.0
_UNLOADED = "the version is not loaded any more"
_BROKEN = "the graph cannot answer"


class Scheduler:
    """Everything may be called from any thread, and nothing blocks for longer than a look at the queues."""

    def __init__(
        self,
        session: DecoderSession,
        observe_texts: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session, self._observe_texts, self._clock = session, observe_texts, clock
        self._batch = Batch(session)
        self._lanes = Lanes()
        self._prompts, self._steps = Pace(), Pace()
        self._changed = threading.Condition()
        self._open = True
        threading.Thread(target=self._work, name="decode", daemon=True).start()

    # --- what others ask --------------------------------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        """It waits, and begins with whatever else has come before `begin`."""
        with self._changed:
            if self._open:
                self._lanes[request.version].waiting.append(request)
                return
        request.fail(_UNLOADED)

    def begin(self) -> None:
        """What was submitted is written from now on."""
        with self._changed:
            self._changed.notify()

    def give_up(self, request: Request) -> None:
        """It leaves before the next step."""
        with self._changed:
            request.given_up = True
            self._changed.notify()

    def has_room(self, version: str, texts: int) -> bool:
        with self._changed:
            return len(self._lanes[version].waiting) + texts <= MAX_WAITING

    def measured(self, version: str) -> Measured | None:
        """As of late; None: no prompt has been read yet."""
        with self._changed:
            reading, writing = self._prompts.seconds_per_token, self._steps.seconds_per_token
            if reading is None:
                return None
            return Measured(reading, writing or 0.0, self._lanes[version].typical_answer)

    def first_token_seconds(self, version: str, prompts: Sequence[int], pace: Measured) -> float:
        """When prompts of so many tokens would all have their first token, from now."""
        with self._changed:
            return first_token_seconds(prompts, self._lanes[version], self._lanes, pace)

    def measure_again(self, request: Request) -> None:
        """Written for nobody where the pace is old and nothing else would tell: a refusal must not last."""
        with self._changed:
            stale = self._clock() - self._prompts.measured_at >= STALE_SECONDS
            if stale and not self._lanes.busy:
                self._lanes[request.version].waiting.append(request)
                self._changed.notify()

    def unload(self, version: str) -> None:
        """What waits for the version fails; what is read or written of it goes on to its end."""
        with self._changed:
            waiting = self._lanes.forget(version)
        for request in waiting:
            request.fail(_UNLOADED)

    def close(self) -> None:
        """The thread ends once what is under way is written."""
        with self._changed:
            self._open = False
            waiting = [request for lane in self._lanes for request in lane.give_up_waiting()]
            self._changed.notify()
        for request in waiting:
            request.fail(_UNLOADED)

    # --- the thread -------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while self._wait():
            try:
                self._drop_what_is_given_up()
                self._step()
                self._read_prompts()
            except Exception as error:  # whatever a graph raises: nobody may wait for ever
                self._abandon(error)

    def _wait(self) -> bool:
        """For a text; False: closed, and none is under way."""
        with self._changed:
            self._changed.wait_for(lambda: self._lanes.busy or not self._open)
            return self._lanes.busy

    def _drop_what_is_given_up(self) -> None:
        with self._changed:
            for lane in self._lanes:
                given_up = [request for request in lane.waiting if request.given_up]
                for request in given_up:
                    lane.waiting.remove(request)
            leaving = [request for lane in self._lanes for request in lane.under_way if request.given_up]
        self._end(leaving)

    def _step(self) -> None:
        while self._batch.overflows:
            self._put_back(self._batch.requests[-1])
        if not (requests := self._batch.requests):
            return
        began = self._clock()
        try:
            stepped = self._batch.step()
        except JobError:
            self._step_apart()
            return
        self._observe_texts(len(requests))
        with self._changed:
            self._steps.measure(1, self._clock() - began, self._clock())
        self._write(stepped)

    def _step_apart(self) -> None:
        """The graph failed: only the texts of versions with which it fails again, each alone, fail with it."""
        stepped, broken = self._batch.step_apart()
        logger.error("a step failed, and %d of %d texts with it", len(broken), len(broken) + len(stepped))
        self._fail(broken)
        self._write(stepped)

    def _write(self, read: Iterable[tuple[Request, Logits]]) -> None:
        self._end([request for request, logits in read if request.write(logits)])

    def _read_prompts(self) -> None:
        """As many tokens of each version's prompts as a round has for it; texts join whose prompts are read whole."""
        with self._changed:
            lanes = list(self._lanes)
            tokens = share(sum(lane.has_prompts for lane in lanes), writing=bool(self._batch.requests))
            shares = [parts_of(self._prompts_of(lane), tokens) for lane in lanes]
        for run in runs_of(shares):
            self._read(run)
        if whole := [one for lane in lanes for one in lane.reading if not one[1].remaining]:
            self._batch.join(whole)
        with self._changed:
            for lane in lanes:
                lane.joined()

    def _prompts_of(self, lane: Lane) -> Iterator[tuple[Request, Reading]]:
        """Those that are read already, and then the version's next texts, as far as there is room."""
        yield from list(lane.reading)
        while lane.waiting and self._lanes.free(lane) > 0:
            reading = [request for one in self._lanes for request, _ in one.reading]
            if not self._batch.has_room([len(request.ids) for request in (*reading, lane.waiting[0])]):
                return
            request = lane.begin()
            try:
                lane.reading.append((request, Reading(self._session, request.ids, request.version)))
            except KeyError:
                request.fail(_UNLOADED)
                lane.end(request)
            else:
                yield lane.reading[-1]

    def _read(self, run: Sequence[Part]) -> None:
        """Where the graph cannot read them together, each by itself."""
        began = self._clock()
        try:
            logits = read_together([(part.reading, part.tokens) for part in run])
        except JobError:
            if len(run) == 1:
                self._fail([run[0].request])
            else:
                for part in run:
                    self._read([part])
            return
        with self._changed:
            self._prompts.measure(padded_tokens(run) + RUN_TOKENS, self._clock() - began, self._clock())
        whole = [(part.request, row) for part, row in zip(run, logits, strict=True) if not part.reading.remaining]
        self._write(whole)

    def _put_back(self, request: Request) -> None:
        """Its prompt and what has been written are read again once there is room."""
        self._batch.leave([request])
        with self._changed:
            self._lanes[request.version].put_back(request)

    def _end(self, requests: Sequence[Request]) -> None:
        """They are written to their end, have failed or are given up."""
        self._batch.leave(requests)
        with self._changed:
            for request in requests:
                self._lanes[request.version].end(request)

    def _fail(self, requests: Sequence[Request]) -> None:
        for request in requests:
            request.fail(_BROKEN)
        self._end(requests)

    def _abandon(self, error: Exception) -> None:
        logger.error("a base cannot write on: %s", type(error).__name__)  # the class only: a message may quote a text
        with self._changed:
            under_way = [request for lane in self._lanes for request in lane.under_way]
        self._fail(under_way)
