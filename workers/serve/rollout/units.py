"""Units: each draws its arm, is answered within its deadline, at once or in pieces, counts once and is signed."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from schemas.serving import Arm, Generation, ServedVersion
from workers.serve.counting.metrics import Metrics
from workers.serve.counting.second import Arrival
from workers.serve.engines.port import Answers
from workers.serve.problems import Problem
from workers.serve.rollout.admitted import Admitted, Draw, abandoned, failed, given_up
from workers.serve.rollout.callers import Caller, HungUp, Left
from workers.serve.rollout.draw import draw_arm, drawable, hash_key
from workers.serve.rollout.lease import counts
from workers.serve.rollout.state import State
from workers.serve.rollout.streams import Streamed


@dataclass(frozen=True)
class SignedAnswer:
    payload: Any
    """As the engine gave it."""
    prediction_id: str


@dataclass(frozen=True)
class Answered:
    request_id: str
    generation: Generation
    version: ServedVersion
    arm: Arm
    headers: dict[str, str]
    answers: tuple[SignedAnswer, ...]


class Units:
    def __init__(self, state: State, metrics: Metrics) -> None:
        self._state, self._metrics = state, metrics
        self._streams: set[Streamed] = set()

    async def answer(
        self, requests: Sequence[Any], session_key: str | None, version: str | None = None, left: Left | None = None
    ) -> Answered:
        """Raises Problem; once it is admitted it is a unit, and every way out ends it. A caller may name a version.

        With `left`, one who hangs up before the answer has abandoned it; without, one is taken to wait for it.
        """
        unit = self._admit(requests, session_key, version)
        problem: Problem | None = given_up()  # also when the server gives the request up a unit must end
        try:
            answers = await self._compute(unit, left)
            problem = None
        except Problem as found:
            problem = found
        finally:
            problem = unit.end(problem)
        if problem is not None:
            raise problem
        draw = unit.draw
        signed = tuple(SignedAnswer(one.payload, unit.signed(row, one.outcome)) for row, one in enumerate(answers))
        return Answered(draw.request_id, draw.generation, draw.version, draw.arm, draw.headers, signed)

    async def stream(
        self, request: Any, session_key: str | None, version: str | None = None, left: Left | None = None
    ) -> Streamed:
        """As `answer`, in pieces: returns once the first is there, and whoever calls it closes what it returns.

        Raises Problem where there is no first piece in time. Hanging up is told by `left` or, later, by closing:
        before the first piece it abandons the unit, after it the unit ends without error. The server's own giving up
        is an error: by cancellation of this call, or by `close`.
        """
        unit = self._admit((request,), session_key, version)
        [admitted] = unit.draw.requests
        streamed = Streamed(unit, partial(self._state.engine.stream, admitted, unit.draw.version), left)
        self._streams.add(streamed)
        streamed.reading.add_done_callback(lambda _: self._streams.discard(streamed))
        try:
            await streamed.ready()
        except asyncio.CancelledError:
            streamed.give_up()
            await asyncio.wait([streamed.reading])
            raise
        return streamed

    async def close(self) -> None:
        """Give up what is still streamed: the server stops."""
        reading = [streamed.reading for streamed in self._streams]
        for streamed in tuple(self._streams):
            streamed.give_up()
        await asyncio.gather(*reading, return_exceptions=True)

    def serving(self) -> tuple[Generation, ServedVersion]:
        """The generation in force and its stable version."""
        generation = self._state.in_force
        if generation is None or generation.stable is None:
            raise Problem(503, "not-ready", "Nothing is served yet", "no stable version is loaded")
        return generation, generation.stable

    def served(self) -> tuple[ServedVersion, ...]:
        """What a caller may name: stable, and a canary whose weight applies."""
        generation, stable = self.serving()
        canary = generation.canary if self._state.weight_shown() > 0 else None
        return (stable,) if canary is None else (stable, canary)

    def find(self, number: str) -> ServedVersion:
        """A version that is served now."""
        for version in self.served():
            if str(version.version) == number:
                return version
        names = " or ".join(str(version.version) for version in self.served())
        raise Problem(
            404, "not-found", "This version is not served here", f"version: expected {names}, which is served now"
        )

    def _admit(self, requests: Sequence[Any], session_key: str | None, version: str | None) -> Admitted:
        """From here on it is a unit."""
        draw = self._draw(requests, session_key) if version is None else self._chosen(requests, version)
        return Admitted(self._state, self._metrics, draw)

    def _chosen(self, requests: Sequence[Any], number: str) -> Draw:
        version = self.find(number)
        generation, stable = self.serving()
        arm: Arm = "stable" if version.id == stable.id else "canary"
        weight = 0.0 if arm == "stable" else 1.0
        admitted = self._admit_to_engine(requests, generation, weight)
        self._state.engine.check_room(admitted, version)
        request_id = uuid.uuid4().hex
        arrival = Arrival(self._state.clock.second(), generation.generation, weight, arm)
        return Draw(request_id, request_id, generation, version, admitted, arrival, counted=False, chosen=True)

    def _draw(self, requests: Sequence[Any], session_key: str | None) -> Draw:
        """The id is ours: a caller's constant id must not choose an arm."""
        generation, stable = self.serving()
        second = self._state.clock.second()
        weight = self._state.ledger.weight_in_force(second, generation.generation, self._state.weight_at(second))
        admitted = self._admit_to_engine(requests, generation, weight)
        request_id = uuid.uuid4().hex
        keyed = session_key is not None and generation.randomize == "session"
        arm = draw_arm(generation.salt, session_key if keyed and session_key else request_id, weight)
        counted = counts(generation, weight)
        # uncounted units are never folded: no need to know their keys
        key_hash = hash_key(generation.salt, session_key) if keyed and session_key and counted else None
        arrival = Arrival(second, generation.generation, weight, arm, key_hash)
        canary = generation.canary if arm == "canary" else None
        self._state.engine.check_room(admitted, canary or stable)
        return Draw(request_id, key_hash or request_id, generation, canary or stable, admitted, arrival, counted)

    def _admit_to_engine(self, requests: Sequence[Any], generation: Generation, weight: float) -> Sequence[Any]:
        return self._state.engine.admit(requests, drawable(generation, weight), generation.deadline_seconds)

    async def _compute(self, unit: Admitted, left: Left | None) -> Answers:
        try:
            async with Caller(left), asyncio.timeout(unit.seconds_left):
                return await self._state.engine.answer(unit.draw.requests, unit.draw.version)
        except TimeoutError:
            raise unit.late() from None
        except HungUp:
            raise abandoned() from None
        except Exception as error:
            raise failed(error) from None
