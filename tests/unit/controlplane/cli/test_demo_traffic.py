"""The demo's users: they say of each answer whether it was right; what cannot leave when it is due is left out."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from controlplane.cli.demo.cases import CASES
from controlplane.cli.demo.traffic import Tally, Traffic
from controlplane.cli.demo.users import Labeller, Reader, sentiment_in
from schemas.rollouts import RolloutPolicy
from tests.support.http_server import serving
from tests.support.waiting import wait_for

AT_ONCE = 16
RIGHT = '{"sentiment": "positive", "strength": "weak"}'
ANSWER = {"predictions": [{"prediction_id": "p", "label": "positive"}]}


@pytest.fixture
def gate() -> threading.Event:
    """Nobody is answered before it is set."""
    return threading.Event()


@pytest.fixture
def busy(gate: threading.Event) -> Iterator[str]:
    """Gateway and API in one: it has so many callers at once that its threads are all in use."""

    def answer(request: Request) -> JSONResponse:
        gate.wait(30)
        return JSONResponse(ANSWER, headers={"x-variant": "stable"})

    routes = [Route(path, answer, methods=["POST"]) for path in ("/v1/predict", "/v1/feedback")]
    with serving(Starlette(routes=routes)) as url:
        yield url


def test_requests_that_find_no_room_are_late_and_never_sent(busy: str, gate: threading.Event) -> None:
    with Traffic([("a text", "positive")], Labeller(), busy, busy, "token", per_second=500, at_once=AT_ONCE) as traffic:
        wait_for(lambda: traffic.tally.late > 5 * AT_ONCE, "requests are late")
        assert traffic.tally.sent == 0
        gate.set()
        wait_for(lambda: traffic.tally.sent > AT_ONCE, "room is used again")
    tally = traffic.tally
    assert tally.failed == 0
    assert tally.served == tally.right == {"stable": tally.sent}


def read(text: str, *, ends: bool = True) -> tuple[Tally, list[dict[str, Any]]]:
    """What users saw of a gateway that streams this text, and the feedback that they gave."""
    told: list[dict[str, Any]] = []

    async def feedback(request: Request) -> JSONResponse:
        told.append(await request.json())
        return JSONResponse({})

    def completions(request: Request) -> StreamingResponse:
        chunks: list[dict[str, Any]] = [{"choices": [{"text": one}]} for one in text]
        chunks += [{"choices": [{"text": "", "finish_reason": "stop", "prediction_id": "p"}]}] * ends
        chunks += [{"error": {"message": "cut off"}}] * (not ends)
        events = [f"data: {json.dumps(one)}\n\n" for one in chunks] + ["data: [DONE]\n\n"] * ends
        return StreamingResponse(iter(events), headers={"x-variant": "canary"}, media_type="text/event-stream")

    routes = [
        Route("/v1/completions", completions, methods=["POST"]),
        Route("/v1/feedback", feedback, methods=["POST"]),
    ]
    reader = Reader("extractor", sentiment_in)
    with (
        serving(Starlette(routes=routes)) as url,
        Traffic([("a review", RIGHT)], reader, url, url, "token", per_second=50, at_once=AT_ONCE) as traffic,
    ):
        wait_for(lambda: traffic.tally.sent > 0, "somebody has asked")
    return traffic.tally, told


@pytest.mark.parametrize(
    ("text", "label"),
    [(RIGHT, "good"), ('{"sentiment": "positive", "strength": "strong"}', "good"),
     ('{"sentiment": "negative", "strength": "weak"}', "bad"), ("positive", "bad"), ('["positive"]', "bad"),
     ("", "bad")],
)  # fmt: skip
def test_a_reader_calls_an_answer_good_that_is_json_with_the_right_sentiment(text: str, label: str) -> None:
    tally, told = read(text)
    assert {json.dumps(one) for one in told} == {json.dumps({"prediction_id": "p", "label": label})}
    assert tally.served == {"canary": tally.sent}
    assert tally.right == {"canary": tally.sent * (label == "good")}


def test_a_stream_that_ends_before_its_answer_has_failed() -> None:
    tally, told = read(RIGHT[:10], ends=False)
    assert (tally.failed, tally.served, told) == (tally.sent, {}, [])


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_demos_documents_speak_of_what_its_case_names(case: Any) -> None:
    deployment, pipeline, trigger = (case.document(name) for name in ("deployment", "pipeline", "trigger"))
    assert (deployment["name"], deployment["model"]) == (case.deployment, case.model)
    assert (trigger["pipeline"], trigger["types"]) == (pipeline["name"], [case.event_type])
    stages = pipeline["stages"]
    assert (stages["curate"]["spec"]["dataset"], stages["train"]["spec"]["model"]) == (case.dataset, case.model)
    assert ("attack" in stages) == case.attacked
    bad = case.document(case.bad)
    assert bad["stages"]["train"]["spec"]["model"] == case.model
    for one in (pipeline, bad):
        assert {"offset", "limit"} <= set(one["params"])


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_short_demo_is_as_certain_as_the_whole_one(case: Any) -> None:
    """By the same gates, metrics and error rates; fewer rows, users and steps are all that differs."""
    documents = [case.deployment_of(size) for size in (case.whole, case.short)]
    assert documents[0] == case.document("deployment")
    whole, short = (RolloutPolicy.model_validate(one["policy"]) for one in documents)
    quicker = {"steps", "step_seconds"}
    assert short.canary.model_dump(exclude=quicker) == whole.canary.model_dump(exclude=quicker)
    assert short.model_dump(exclude={"canary"}) == whole.model_dump(exclude={"canary"})
    assert len(short.canary.steps) > 1
