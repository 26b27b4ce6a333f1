"""OpenAI's endpoints as OpenAI's own client asks them: whole and streamed answers, models, and callers who leave."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from schemas.outcomes import outcome_of
from schemas.prediction_id import verify_prediction_id
from schemas.serving import PredictionClaims
from tests.support.scripted_engine import SIGNING_KEY
from tests.support.waiting import wait_for
from tests.support.worlds.gateway import GatewayInProcess
from tests.support.worlds.room import CANARY, MESSAGES, TEXT, TOKENS, Room
from tests.support.writing_engine import (
    HANG,
    HANG_LATER,
    PROMPT_TOKENS,
    RAISE,
    RAISE_LATER,
    WORDS,
    WritingEngine,
    generator,
    text_of,
)
from workers.tasks.text_generation.writing import Asked


def claims(prediction_id: str) -> PredictionClaims:
    return verify_prediction_id(prediction_id, lambda _: SIGNING_KEY)


# --- whole answers ----------------------------------------------------------------------------------------------------


def test_a_conversation_is_answered_with_usage_and_a_signed_prediction_id(room: Room) -> None:
    answer = room.chat()
    [choice] = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", TEXT, "stop")
    assert (answer.object, answer.model) == ("chat.completion", "movies/1")
    assert answer.usage.to_dict() == {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": TOKENS,
        "total_tokens": PROMPT_TOKENS + TOKENS,
    }
    signed = claims(choice.prediction_id)
    assert (signed.c, signed.v, signed.a) == (outcome_of(TEXT), room.site.stable.id, "stable")
    assert answer.id == f"chatcmpl-{answer._request_id}"


def test_a_prompt_is_answered_with_usage_and_a_signed_prediction_id(room: Room) -> None:
    for prompt in (CANARY, [CANARY]):
        answer = room.complete(prompt)
        [choice] = answer.choices
        assert (choice.text, choice.finish_reason, answer.object) == (TEXT, "stop", "text_completion")
        assert answer.usage.total_tokens == PROMPT_TOKENS + TOKENS
        assert claims(choice.prediction_id).c == outcome_of(TEXT)
        assert room.engine.asked[-1] == Asked(prompt=CANARY)


def test_headers_say_who_answered(room: Room) -> None:
    raw = room.client.chat.completions.with_raw_response.create(model="movies", messages=MESSAGES)
    assert (raw.headers["x-model-version"], raw.headers["x-variant"]) == ("movies/1", "stable")
    assert raw.parse().id == f"chatcmpl-{raw.headers['x-request-id']}"


def test_how_it_is_to_be_written_reaches_the_engine(room: Room) -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    how = {"temperature": 0.5, "top_p": 0.9, "seed": 11}
    answer = room.chat([{"role": "user", "content": parts}], max_tokens=2, stop="end", **how)
    messages = [{"role": "user", "content": "one\ntwo"}]
    asked = Asked(messages=messages, max_tokens=2, stop=("end",), **how)  # type: ignore[arg-type]
    assert room.engine.asked[-1] == asked
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Good day ", "length")
    room.chat(messages, max_completion_tokens=2, stop=["end", "stop"], **how)
    assert room.engine.asked[-1] == replace(asked, stop=("end", "stop"))


NEUTRAL = {
    "n": 1, "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "logprobs": False, "top_logprobs": None,
    "response_format": {"type": "text"}, "tools": [], "tool_choice": "none", "user": "somebody", "store": False,
    "metadata": {"a": "b"}, "temperature": None, "stream_options": None, "audio": None, "service_tier": "auto",
}  # fmt: skip


def test_members_that_change_nothing_are_taken(room: Room) -> None:
    assert room.chat(extra_body=NEUTRAL).choices[0].message.content == TEXT
    neutral = {"best_of": 1, "echo": False, "logprobs": None, "suffix": None, "n": None, "user": "somebody"}
    assert room.complete(extra_body=neutral).choices[0].text == TEXT


def test_an_answer_goes_back_into_the_conversation_as_it_came(room: Room) -> None:
    first = room.chat().choices[0].message
    assert room.chat([*MESSAGES, first, {"role": "user", "content": "more"}]).choices[0].message.content == TEXT
    assert room.engine.asked[-1].messages[2] == {"role": "assistant", "content": TEXT}  # type: ignore[index]


# --- streamed answers -------------------------------------------------------------------------------------------------


def test_a_conversation_is_streamed_to_its_end_and_signed(room: Room) -> None:
    chunks = list(room.chat(stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert {(chunk.object, chunk.model) for chunk in chunks} == {("chat.completion.chunk", "movies/1")}
    assert len({chunk.id for chunk in chunks}) == 1
    assert len(chunks) == 1 + TOKENS + 1, "a chunk for each token, one before and one behind them"
    assert claims(chunks[-1].choices[0].prediction_id).c == outcome_of(TEXT)
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_tells_usage_where_it_is_asked(room: Room) -> None:
    *chunks, last = room.chat(stream=True, stream_options={"include_usage": True}, max_tokens=3)
    assert (last.choices, last.usage.total_tokens) == ([], PROMPT_TOKENS + 3)
    assert chunks[-1].choices[0].finish_reason == "length"
    *chunks, last = room.complete(stream=True, stream_options={"include_usage": True})
    assert "".join(chunk.choices[0].text for chunk in chunks) == TEXT
    assert claims(chunks[-1].choices[0].prediction_id).c == outcome_of(TEXT)
    assert last.usage.completion_tokens == TOKENS


def test_events_are_those_of_the_standard(room: Room) -> None:
    body = {"model": "movies", "messages": MESSAGES, "stream": True}
    with room.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        told = answer.read().decode()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-model-version"] == "movies/1"
    events = told.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(event.startswith("data: {") and "\n" not in event for event in events[:-2])


def test_what_breaks_off_says_so_and_is_not_done(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    stream = room.chat([{"role": "user", "content": f"{RAISE_LATER} {CANARY}"}], stream=True)
    assert [next(stream).choices[0].delta.content for _ in range(2)] == ["", WORDS[0]]
    with pytest.raises(openai.APIError) as broken:
        next(stream)
    assert (broken.value.message, broken.value.code) == ("PlantedFault", "prediction-failed")
    body = {"model": "movies", "prompt": f"{RAISE_LATER} {CANARY}", "stream": True}
    events = room.http.post("/v1/completions", json=body).text
    assert "[DONE]" not in events
    assert CANARY not in events + caplog.text


@pytest.mark.parametrize("stream", [False, True])
def test_what_fails_before_its_first_token_is_refused_by_its_status(room: Room, stream: bool) -> None:
    with pytest.raises(openai.InternalServerError) as failed:
        room.chat([{"role": "user", "content": f"{RAISE} {CANARY}"}], stream=stream)
    assert failed.value.status_code == 500
    assert failed.value.response.headers["x-model-version"] == "movies/1"
    assert CANARY not in failed.value.response.text


# --- models -----------------------------------------------------------------------------------------------------------


def test_the_model_and_its_served_versions_are_listed_and_found(room: Room) -> None:
    assert [model.id for model in room.client.models.list()] == ["movies", "movies/1"]
    assert room.client.models.retrieve("movies").object == "model"
    assert room.client.models.retrieve("movies/1").id == "movies/1"
    assert room.chat(model="movies/1").model == "movies/1"


@pytest.mark.parametrize("name", ["other", "movies/2", "movies/", "movies/01", "movies@champion", CANARY])
def test_another_model_is_not_found_and_its_name_not_repeated(room: Room, name: str) -> None:
    for ask in (lambda: room.chat(model=name), lambda: room.client.models.retrieve(name)):
        with pytest.raises(openai.NotFoundError) as missing:
            ask()
        assert (missing.value.param, missing.value.code) == ("model", "model-not-found")
        assert "expected 'movies' or 'movies/1'" in str(missing.value)
        assert name == "other" or name not in missing.value.response.text.replace("movies/1", "")


def test_what_is_for_labels_names_where_to_ask_for_texts(room: Room) -> None:
    refused = room.http.post("/v1/predict", json={"text": CANARY})
    assert (refused.status_code, refused.json()["field"]) == (409, "model")
    assert "/v1/chat/completions" in refused.json()["detail"]


def test_a_classifier_names_where_to_ask_for_labels(stateless_client: httpx.Client) -> None:
    with openai.OpenAI(base_url=f"{stateless_client.base_url}/v1", api_key="none", max_retries=0) as client:
        for stream in (False, True):
            with pytest.raises(openai.BadRequestError, match="expected a request to /v1/predict") as refused:
                client.chat.completions.create(model="movies", messages=MESSAGES, stream=stream)
            assert (refused.value.param, refused.value.code) == ("model", "another-task")
        assert [model.id for model in client.models.list()] == ["movies", "movies/1"]


# --- callers who leave ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_who_hangs_up_before_the_first_token_has_abandoned_it(room: Room, stream: bool) -> None:
    before = room.ended("abandoned")
    with pytest.raises(openai.APITimeoutError):
        room.chat([{"role": "user", "content": HANG}], stream=stream, timeout=0.5)
    wait_for(lambda: room.ended("abandoned") == before + 1, "counted as abandoned")
    assert room.engine.open == 0


def test_who_hangs_up_later_has_had_an_answer(room: Room) -> None:
    before = room.ended("ok")
    with room.chat([{"role": "user", "content": HANG_LATER}], stream=True) as stream:
        assert [next(stream).choices[0].delta.content for _ in range(2)] == ["", WORDS[0]]
        assert room.engine.open == 1
    wait_for(lambda: room.engine.open == 0, "given up")
    wait_for(lambda: room.ended("ok") == before + 1, "counted as answered")


# --- the Open Inference Protocol --------------------------------------------------------------------------------------


def infer(room: Room, **members: Any) -> httpx.Response:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["one", CANARY]}
    return room.http.post("/v2/models/movies/infer", json={"inputs": [tensor]} | members)


def test_texts_are_answered_by_the_open_inference_protocol(room: Room) -> None:
    told = room.http.get("/v2/models/movies").json()
    assert [(output["name"], output["datatype"], output["shape"]) for output in told["outputs"]] == [
        ("text", "BYTES", [-1]),
        ("prediction_id", "BYTES", [-1]),
    ]
    answer = infer(room, parameters={"max_tokens": 2, "temperature": 0, "stop": ["end"], "session_key": "k"})
    assert answer.status_code == 200, answer.text
    text, prediction_id = answer.json()["outputs"]
    assert (text["data"], text["shape"]) == (["Good day ", "Good day "], [2])
    assert [claims(one).i for one in prediction_id["data"]] == [0, 1]
    assert room.engine.asked[-1] == Asked(prompt=CANARY, max_tokens=2, temperature=0, stop=("end",))


def test_what_is_no_output_of_a_generator_is_refused_by_name(room: Room) -> None:
    assert [one["name"] for one in infer(room, outputs=[{"name": "text"}]).json()["outputs"]] == ["text"]
    refused = infer(room, outputs=[{"name": "text"}, {"name": "scores"}])
    assert (refused.status_code, refused.json()["field"]) == (422, "outputs.1.name")
    assert "expected 'text' or 'prediction_id'" in refused.json()["error"]
    wrong = infer(room, parameters={"temperature": -1})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "parameters.temperature")


# --- a canary beside it -----------------------------------------------------------------------------------------------


def test_a_canary_is_drawn_listed_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    site, engine = GatewayInProcess(tmp_path), WritingEngine()
    site.stable, site.canary = generator(1), generator(2)
    site.start_control_plane()
    site.roll_out(1, weight=0.5, randomize="session")
    with site.gateway(lambda metrics: engine) as http:
        wait_for(lambda: "graftwork_gateway_applied_weight 0.5" in http.get("/metrics").text, "weight applied")
        with (room := Room(site, http, engine)).client:
            assert [model.id for model in room.client.models.list()] == ["movies", "movies/1", "movies/2"]
            assert room.chat(model="movies/2").choices[0].message.content == text_of(2)
            drawn = {
                key: {room.chat(extra_headers={"x-session-key": key}).model for _ in range(3)} for key in "abcdefgh"
            }
            assert {len(versions) for versions in drawn.values()} == {1}, "a session stays"
            assert set().union(*drawn.values()) == {"movies/1", "movies/2"}
            signed = claims(room.chat(extra_headers={"x-session-key": "a"}).choices[0].prediction_id)
            assert (signed.k, signed.n) == (True, True)
            told = http.get("/metrics").text
    site.stop_control_plane()
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert CANARY not in f"{caplog.text} {told} {site.observed()} {site.control.reports}"
    assert CANARY.encode() not in kept
