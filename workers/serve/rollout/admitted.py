"""One admitted request: which version it drew, until when it must have ended, and its one end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.prediction_id import encode_prediction_id
from schemas.serving import Arm, Generation, PredictionClaims, ServedVersion, UnitEnd
from workers.serve.counting.metrics import Metrics
from workers.serve.counting.second import Arrival
from workers.serve.engines.port import Unanswerable
from workers.serve.problems import Problem
from workers.serve.rollout.state import State

ABANDONED = "abandoned"


@dataclass(frozen=True)
class Draw:
    """Which version a unit got, and as what it counts."""

    request_id: str
    unit_id: str
    generation: Generation
    version: ServedVersion
    requests: Sequence[Any]
    """As the engine has admitted them."""
    arrival: Arrival
    counted: bool
    chosen: bool = False
    """By the caller, who named a version: a unit of no arm, since nothing was drawn."""

    @property
    def arm(self) -> Arm:
        return self.arrival.arm

    @property
    def headers(self) -> dict[str, str]:
        rollout = {"x-rollout-id": str(self.generation.rollout_id)} if self.generation.rollout_id else {}
        return {
            "x-model-version": self.version_name,
            "x-variant": self.arm,
            "x-request-id": self.request_id,
            **rollout,
        }

    @property
    def version_name(self) -> str:
        return f"{self.version.model}/{self.version.version}"


class Admitted:
    """A unit from its arrival to its end; whoever made one ends it, whatever happens."""

    def __init__(self, state: State, metrics: Metrics, draw: Draw) -> None:
        self._state, self._metrics, self.draw = state, metrics, draw
        self._arrived = state.clock.now()
        self.deadline = self._arrived + draw.generation.deadline_seconds
        self._unit = None if draw.chosen else state.ledger.begin(draw.arrival, self.deadline)
        self._begun = False

    @property
    def seconds_left(self) -> float:
        return self.deadline - self._state.clock.now()

    def begin(self) -> bool:
        """The first token is there: from now on the deadline of the whole answer holds. False: it came too late."""
        total = self._arrived + self.draw.generation.deadline_total_seconds
        if self._unit is not None and not self._state.ledger.extend(self._unit, total):
            return False
        self.deadline, self._begun = total, True
        self._metrics.first_token.labels(self.draw.arm).observe(self._state.clock.now() - self._arrived)
        return True

    def end(self, problem: Problem | None) -> Problem | None:
        """Count and measure how it ended, and say what the caller is told of that; None: it was answered."""
        if self._unit is not None:
            asked: UnitEnd = "ok" if problem is None else "abandoned" if problem.slug == ABANDONED else "error"
            counted = self._state.ledger.end(self._unit, asked)
            problem = self.late() if counted == "error" != asked else problem
        outcome = "ok" if problem is None else problem.slug
        self._metrics.requests.labels(self.draw.arm, self.draw.version_name, outcome).inc()
        self._metrics.latency.labels(self.draw.arm).observe(self._state.clock.now() - self._arrived)
        if problem is not None:
            problem.headers |= self.draw.headers
        return problem

    def late(self) -> Problem:
        generation = self.draw.generation
        within = (
            f"no end within {generation.deadline_total_seconds:g} s"
            if self._begun
            else f"no answer within {generation.deadline_seconds:g} s"
        )
        return Problem(504, "deadline", "The deadline has passed", within)

    def signed(self, row: int, outcome: str) -> str:
        """The id under which feedback on this row comes."""
        draw = self.draw
        claims = PredictionClaims(
            d=draw.generation.deployment,
            r=draw.generation.rollout_id,
            g=draw.generation.generation,
            s=draw.generation.step,
            v=draw.version.id,
            a=draw.arm,
            u=draw.unit_id,
            i=row,
            c=outcome,
            n=draw.counted,
            k=draw.arrival.key_hash is not None,
            b=self._state.boot,
            t=draw.arrival.second,
        )
        return encode_prediction_id(claims, draw.generation.signing_key)


def failed(error: Exception) -> Problem:
    """The class only, of what was not meant to be told: a library's message may quote a row."""
    reason = str(error) if isinstance(error, Unanswerable) else type(error).__name__
    return Problem(500, "prediction-failed", "The version could not answer", reason)


def given_up() -> Problem:
    return Problem(500, "stopping", "The request was given up", "the server is stopping")


def abandoned() -> Problem:
    """Nobody reads it: the status is what others log when a client closes its request."""
    return Problem(499, ABANDONED, "The caller has hung up", "before there was an answer")
