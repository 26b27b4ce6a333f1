"""One request: draws its arm, computes its rows within the deadline, counts it once and signs its answers."""

import asyncio
import uuid
from dataclasses import dataclass

import numpy as np

from schemas.prediction_id import encode_prediction_id
from schemas.serving import Arm, Generation, PredictionClaims, ServedVersion
from workers.base.arrays import Logits
from workers.serve.admission import Admission
from workers.serve.batcher import Batcher
from workers.serve.journal import Arrival
from workers.serve.lease import counts
from workers.serve.metrics import Metrics
from workers.serve.problems import Problem
from workers.serve.state import State
from workers.serve.traffic import draw_arm, hash_key


@dataclass(frozen=True)
class Row:
    label: str
    scores: tuple[float, ...]
    """In the order of the version's labels."""
    prediction_id: str


@dataclass(frozen=True)
class Answer:
    request_id: str
    generation: Generation
    version: ServedVersion
    arm: Arm
    rows: tuple[Row, ...]

    @property
    def headers(self) -> dict[str, str]:
        return _headers(self.generation, self.version, self.arm, self.request_id)


@dataclass(frozen=True)
class _Draw:
    """Which version a request got, and as what it counts."""

    request_id: str
    unit_id: str
    generation: Generation
    version: ServedVersion
    arrival: Arrival
    counted: bool
    chosen: bool = False
    """By the caller, who named a version: a unit of no arm, since nothing was drawn."""


class Predictor:
    def __init__(self, state: State, batcher: Batcher, metrics: Metrics) -> None:
        self._state, self._batcher, self._metrics = state, batcher, metrics
        self._admission = Admission(batcher, metrics)

    async def predict(self, texts: tuple[str, ...], session_key: str | None, version: str | None = None) -> Answer:
        """Raises Problem; once it is admitted it is a unit, and every way out ends it. A caller may name a version."""
        draw = self._draw(texts, session_key) if version is None else self._chosen(texts, version)
        arrived = self._state.clock.now()
        deadline = arrived + draw.generation.deadline_seconds
        unit = None if draw.chosen else self._state.ledger.begin(draw.arrival, deadline)
        error: Problem | None = _ABANDONED
        try:
            logits = await self._compute(draw, deadline, texts)
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
        rows = tuple(_row(draw, self._state.boot, index, row) for index, row in enumerate(logits))
        return Answer(draw.request_id, draw.generation, draw.version, draw.arrival.arm, rows)

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

    def _chosen(self, texts: tuple[str, ...], number: str) -> _Draw:
        version = self.find(number)
        generation, stable = self.serving()
        arm: Arm = "stable" if version.id == stable.id else "canary"
        weight = 0.0 if arm == "stable" else 1.0
        self._admission.check_deadline(texts, generation, weight)
        self._admission.check_room(texts, version)
        request_id = uuid.uuid4().hex
        arrival = Arrival(self._state.clock.second(), generation.generation, weight, arm)
        return _Draw(request_id, request_id, generation, version, arrival, counted=False, chosen=True)

    def _draw(self, texts: tuple[str, ...], session_key: str | None) -> _Draw:
        """The id is ours: a caller's constant id must not choose an arm."""
        generation, stable = self.serving()
        second = self._state.clock.second()
        weight = self._state.ledger.weight_in_force(second, generation.generation, self._state.weight_at(second))
        self._admission.check_deadline(texts, generation, weight)
        request_id = uuid.uuid4().hex
        keyed = session_key is not None and generation.randomize == "session"
        arm = draw_arm(generation.salt, session_key if keyed and session_key else request_id, weight)
        counted = counts(generation, weight)
        # uncounted units are never folded: no need to know their keys
        key_hash = hash_key(generation.salt, session_key) if keyed and session_key and counted else None
        arrival = Arrival(second, generation.generation, weight, arm, key_hash)
        canary = generation.canary if arm == "canary" else None
        self._admission.check_room(texts, canary or stable)
        return _Draw(request_id, key_hash or request_id, generation, canary or stable, arrival, counted)

    async def _compute(self, draw: _Draw, deadline: float, texts: tuple[str, ...]) -> Logits:
        future = self._batcher.lane(draw.version).submit(texts)
        try:
            logits = await asyncio.wait_for(future, deadline - self._state.clock.now())
        except TimeoutError:
            raise _late(draw) from None
        except Exception as error:
            # the class only: a library's message may quote a row
            raise _failed(type(error).__name__) from None
        if (
            logits.shape != (len(texts), len(draw.version.graph.identity.classification.labels))
            or not np.isfinite(logits).all()
        ):
            raise _failed("logits that are not finite or of another width")
        return logits

    def _measure(self, draw: _Draw, arrived: float, error: Problem | None) -> None:
        outcome = "ok" if error is None else error.slug
        arm, version = draw.arrival.arm, _version_name(draw.version)
        self._metrics.requests.labels(arm, version, outcome).inc()
        self._metrics.latency.labels(arm).observe(self._state.clock.now() - arrived)


def _row(draw: _Draw, boot: uuid.UUID, index: int, logits: Logits) -> Row:
    labels = draw.version.graph.identity.classification.labels
    weights = np.exp(logits.astype(np.float64) - float(logits.max()))
    label = labels[int(logits.argmax())]
    claims = PredictionClaims(
        d=draw.generation.deployment,
        r=draw.generation.rollout_id,
        g=draw.generation.generation,
        s=draw.generation.step,
        v=draw.version.id,
        a=draw.arrival.arm,
        u=draw.unit_id,
        i=index,
        c=label,
        n=draw.counted,
        k=draw.arrival.key_hash is not None,
        b=boot,
        t=draw.arrival.second,
    )
    scores = tuple(float(score) for score in weights / weights.sum())
    return Row(label, scores, encode_prediction_id(claims, draw.generation.signing_key))


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
