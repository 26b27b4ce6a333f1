"""What the load is made of: each target makes one kind of request and learns from its answers."""

import itertools
import json
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.trials.load.http import Answer, Request

REMEMBERED = 2_000
"""Answers kept for feedback and jobs kept for cancelling; older ones are forgotten."""
LISTS = (
    "/v1/jobs?limit=50",
    "/v1/jobs?phase=Running&limit=50",
    "/v1/deployments",
    "/v1/rollouts?limit=20",
    "/v1/trigger-evaluations?limit=50",
    "/v1/pipeline-runs?limit=20",
    "/v1/models",
)


Judge = Callable[[str, str, str], str]
"""The label that feedback gives, by the predicted one, the true one and the variant that answered."""


@dataclass
class World:
    """What the targets know about the system under load, and remember of its answers."""

    api: str
    token: str
    gateways: Sequence[str]
    rows: Sequence[tuple[str, str]]
    """Text and its true label."""
    model: str
    rows_per_request: int = 1
    job: dict[str, Any] = field(default_factory=dict)
    """`{kind, spec}` of the jobs that are asked for."""
    judge: Judge = lambda _predicted, truth, _variant: truth
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    answered: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """Prediction ids that wait for their label."""
    pending: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """Jobs that wait to be cancelled."""

    def __post_init__(self) -> None:
        self.next_gateway = itertools.cycle(self.gateways)

    def to_api(self, method: str, path: str, body: Any = None, **headers: str) -> Request:
        given = {"authorization": f"Bearer {self.token}"}
        if body is not None:
            given["content-type"] = "application/json"
        data = b"" if body is None else json.dumps(body).encode()
        return Request(self.api, method, path, given | headers, data)


Call = tuple[Request, Callable[[Answer], None]]
"""A request, and what hears its answer when its status is a good one. It raises what it likes when it cannot
understand the answer, which then counts as an error."""
Make = Callable[["World"], Call | None]
"""None: there is nothing to ask for just now, as a label for an answer that has not come."""


def deaf(_answer: Answer) -> None:
    """The answer teaches nothing."""


def predict(world: World) -> Call | None:
    """One request to the next gateway; its first answer is remembered for feedback."""
    rows = [world.dice.choice(world.rows) for _ in range(world.rows_per_request)]
    body = {"text": rows[0][0]} if len(rows) == 1 else {"texts": [text for text, _ in rows]}
    request = Request(
        next(world.next_gateway),
        "POST",
        "/v1/predict",
        {"content-type": "application/json"},
        json.dumps(body).encode(),
    )

    def hear(answer: Answer) -> None:
        first, *rest = json.loads(answer.body)["predictions"]
        if len(rest) + 1 != len(rows):
            raise ValueError("as many predictions as texts were expected")
        label = world.judge(first["label"], rows[0][1], answer.headers.get("x-variant", ""))
        world.answered.append((first["prediction_id"], label))

    return request, hear


def feedback(world: World) -> Call | None:
    """The label of the newest answer: in the order of the answers, a mix with fewer labels than predictions would label
    older and older ones, soon those that a rollout before this one gave."""
    if not world.answered:
        return None
    prediction_id, label = world.answered.pop()
    return world.to_api("POST", "/v1/feedback", {"prediction_id": prediction_id, "label": label}), deaf


def champion(world: World) -> Call | None:
    return world.to_api("GET", f"/v1/models/{world.model}/aliases/champion"), deaf


def lists(world: World) -> Call | None:
    return world.to_api("GET", world.dice.choice(LISTS)), deaf


def submit(world: World) -> Call | None:
    """A job that is soon cancelled."""
    return _job(world, lambda job_id: world.pending.append(job_id))


def work(world: World) -> Call | None:
    """A job that a worker does."""
    return _job(world, lambda _: None)


def _job(world: World, asked: Callable[[str], None]) -> Call | None:
    request = world.to_api("POST", "/v1/jobs", world.job, **{"idempotency-key": str(uuid4())})

    def hear(answer: Answer) -> None:
        asked(json.loads(answer.body)["id"])

    return request, hear


def cancel(world: World) -> Call | None:
    if not world.pending:
        return None
    return world.to_api("POST", f"/v1/jobs/{world.pending.popleft()}:cancel"), deaf


def event(world: World) -> Call | None:
    """Somebody else's event, to which no trigger listens."""
    envelope = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "//load.example/generator",
        "type": "com.example.load.tick",
        "data": {"number": world.dice.randrange(1_000_000)},
    }
    headers = {"content-type": "application/cloudevents+json"}
    return world.to_api("POST", "/v1/events", envelope, **headers), deaf


TARGETS: dict[str, Make] = {
    make.__name__: make for make in (predict, feedback, champion, lists, submit, work, cancel, event)
}
