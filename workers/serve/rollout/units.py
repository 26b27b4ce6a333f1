"""One unit: draws its arm, has its requests answered within the deadline, counts it once and signs its answers."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.prediction_id import encode_prediction_id
from schemas.serving import Arm, Generation, PredictionClaims, ServedVersion
from workers.serve.engines.port import Answer, Answers, Unanswerable
from workers.serve.observe.journal import Arrival
from workers.serve.observe.metrics import Metrics
from workers.serve.problems import Problem
from workers.serve.rollout.draw import draw_arm, drawable, hash_key
from workers.serve.rollout.lease import counts
from workers.serve.rollout.state import State


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
    answers: tuple[SignedAnswer, ...]

    @property
    def headers(self) -> dict[str, str]:
        return _headers(self.generation, self.version, self.arm, self.request_id)


@dataclass(frozen=True)
class _Draw:
    """Which version a unit got, and as what it counts."""

    request_id: str
    unit_id: str
    generation: Generation
    version: ServedVersion
    arrival: Arrival
    counted: bool
    chosen: bool = False
    """By the caller, who named a version: a unit of no arm, since nothing was drawn."""


class Units:
    def __init__(self, state: State, metrics: Metrics) -> None:
        self._state, self._metrics = state, metrics

    async def answer(self, requests: Sequence[Any], session_key: str | None, version: str | None = None) -> Answered:
        """Raises Problem; once it is admitted it is a unit, and every way out ends it. A caller may name a version."""
        draw = self._draw(requests, session_key) if version is None else self._chosen(requests, version)
        arrived = self._state.clock.now()
        deadline = arrived + draw.generation.deadline_seconds
        unit = None if draw.chosen else self._state.ledger.begin(draw.arrival, deadline)
        error: Problem | None = _ABANDONED
        try:
            answers = await self._compute(draw, deadline, requests)
            error = None
        except Problem as problem:
            error = problem
        finally:
            # also when the server gives the request up: a unit that arrived must end
            late = unit is not None and self._state.ledger.end(unit, error=error is not None)
            error = error or (_late(draw) if late else None)
            self._measure(draw, arrived, error)
        if error is not None:
            error.headers |= _headers(draw.generation, draw.version, draw.arrival.arm, draw.request_id)
            raise error
        signed = tuple(self._signed(draw, row, answer) for row, answer in enumerate(answers))
        return Answered(draw.request_id, draw.generation, draw.version, draw.arrival.arm, signed)

    def serving(self) -> tuple[Generation, ServedVersion]:
        """The generation in force and its stable version."""
        generation = self._state.in_force
        if generation is None or generation.stable is None:
            raise Problem(503, "not-ready", "Nothing is served yet", "no stable version is loaded")
        return generation, generation.stable

    def find(self, number: str) -> ServedVersion:
        """A version that is served now: stable, or a canary whose weight applies."""
        generation, stable = self.serving()
        canary = generation.canary if self._state.weight_shown() > 0 else None
        served = [version for version in (stable, canary) if version is not None]
        for version in served:
            if str(version.version) == number:
                return version
        names = " or ".join(str(version.version) for version in served)
        raise Problem(
            404, "not-found", "This version is not served here", f"version: expected {names}, which is served now"
        )

    def _chosen(self, requests: Sequence[Any], number: str) -> _Draw:
        version = self.find(number)
        generation, stable = self.serving()
        arm: Arm = "stable" if version.id == stable.id else "canary"
        weight = 0.0 if arm == "stable" else 1.0
        self._check_deadline(requests, generation, weight)
        self._state.engine.check_room(requests, version)
        request_id = uuid.uuid4().hex
        arrival = Arrival(self._state.clock.second(), generation.generation, weight, arm)
        return _Draw(request_id, request_id, generation, version, arrival, counted=False, chosen=True)

    def _draw(self, requests: Sequence[Any], session_key: str | None) -> _Draw:
        """The id is ours: a caller's constant id must not choose an arm."""
        generation, stable = self.serving()
        second = self._state.clock.second()
        weight = self._state.ledger.weight_in_force(second, generation.generation, self._state.weight_at(second))
        self._check_deadline(requests, generation, weight)
        request_id = uuid.uuid4().hex
        keyed = session_key is not None and generation.randomize == "session"
        arm = draw_arm(generation.salt, session_key if keyed and session_key else request_id, weight)
        counted = counts(generation, weight)
        # uncounted units are never folded: no need to know their keys
        key_hash = hash_key(generation.salt, session_key) if keyed and session_key and counted else None
        arrival = Arrival(second, generation.generation, weight, arm, key_hash)
        canary = generation.canary if arm == "canary" else None
        self._state.engine.check_room(requests, canary or stable)
        return _Draw(request_id, key_hash or request_id, generation, canary or stable, arrival, counted)

    def _check_deadline(self, requests: Sequence[Any], generation: Generation, weight: float) -> None:
        self._state.engine.check_deadline(requests, drawable(generation, weight), generation.deadline_seconds)

    async def _compute(self, draw: _Draw, deadline: float, requests: Sequence[Any]) -> Answers:
        answering = self._state.engine.answer(requests, draw.version)
        try:
            return await asyncio.wait_for(answering, deadline - self._state.clock.now())
        except TimeoutError:
            raise _late(draw) from None
        except Unanswerable as reason:
            raise _failed(str(reason)) from None
        except Exception as error:
            # the class only: a library's message may quote a row
            raise _failed(type(error).__name__) from None

    def _measure(self, draw: _Draw, arrived: float, error: Problem | None) -> None:
        outcome = "ok" if error is None else error.slug
        arm, version = draw.arrival.arm, _version_name(draw.version)
        self._metrics.requests.labels(arm, version, outcome).inc()
        self._metrics.latency.labels(arm).observe(self._state.clock.now() - arrived)

    def _signed(self, draw: _Draw, row: int, answer: Answer) -> SignedAnswer:
        claims = PredictionClaims(
            d=draw.generation.deployment,
            r=draw.generation.rollout_id,
            g=draw.generation.generation,
            s=draw.generation.step,
            v=draw.version.id,
            a=draw.arrival.arm,
            u=draw.unit_id,
            i=row,
            c=answer.outcome,
            n=draw.counted,
            k=draw.arrival.key_hash is not None,
            b=self._state.boot,
            t=draw.arrival.second,
        )
        return SignedAnswer(answer.payload, encode_prediction_id(claims, draw.generation.signing_key))


def _headers(generation: Generation, version: ServedVersion, arm: Arm, request_id: str) -> dict[str, str]:
    rollout = {"x-rollout-id": str(generation.rollout_id)} if generation.rollout_id else {}
    return {"x-model-version": _version_name(version), "x-variant": arm, "x-request-id": request_id, **rollout}


def _version_name(version: ServedVersion) -> str:
    return f"{version.model}/{version.version}"


def _late(draw: _Draw) -> Problem:
    seconds = draw.generation.deadline_seconds
    return Problem(504, "deadline", "The deadline has passed", f"no answer within {seconds:g} s")


def _failed(reason: str) -> Problem:
    return Problem(500, "prediction-failed", "The version could not answer", reason)


_ABANDONED = Problem(500, "abandoned", "The request was given up", "the server is stopping")
