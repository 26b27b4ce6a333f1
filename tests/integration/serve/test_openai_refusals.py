"""What OpenAI's endpoints refuse, by the name of the member, and never with its text."""

import json
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.support.waiting import wait_for
from tests.support.worlds.gateway import GatewayInProcess
from tests.support.worlds.room import CANARY, MESSAGES, TEXT, Room
from tests.support.writing_engine import (
    WritingEngine,
    generator,
)
from workers.serve.protocols.openai.requests import MAX_CONVERSATION_CHARACTERS, MAX_MESSAGES
from workers.serve.protocols.requests import MAX_BODY_BYTES

IMAGE = {"type": "image_url", "text": CANARY}
TOOL = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("members", "param", "expected"),
    [
        ({"temperature": 3}, "temperature", "expected at most 2"),
        ({"temperature": "hot"}, "temperature", "expected a number"),
        ({"top_p": 0}, "top_p", "expected more than 0"),
        ({"max_tokens": 0}, "max_tokens", "expected at least 1"),
        ({"max_tokens": 2, "max_completion_tokens": 2}, "max_completion_tokens", "expected none beside `max_tokens`"),
        ({"seed": -1}, "seed", "expected at least 0"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "expected at most 4 items"),
        ({"stop": ""}, "stop.0", "expected at least 1 character"),
        ({"n": 2}, "n", "expected 1 or null"),
        ({"n": True}, "n", "expected 1 or null"),
        ({"tools": [TOOL]}, "tools", "expected [] or null"),
        ({"tool_choice": "auto"}, "tool_choice", 'expected "none" or null'),
        ({"response_format": {"type": "json_object"}}, "response_format", 'expected {"type": "text"} or null'),
        ({"logprobs": True}, "logprobs", "expected false or null"),
        ({"logit_bias": {"5": 1}}, "logit_bias", "expected {} or null"),
        ({"frequency_penalty": 0.1}, "frequency_penalty", "expected 0 or null"),
        ({"presence_penalty": -1}, "presence_penalty", "expected 0 or null"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "expected none without `stream`"),
        ({"top_k": 5}, "top_k", "expected no field of this name"),
        ({"messages": []}, "messages", "expected at least 1 item"),
        ({"messages": MESSAGES * MAX_MESSAGES}, "messages", f"expected at most {MAX_MESSAGES} items"),
        (
            {"messages": [{"role": "user", "content": CANARY * MAX_MESSAGES}] * 5},
            "messages",
            f"expected at most {MAX_CONVERSATION_CHARACTERS} characters together",
        ),
        ({"messages": [{"role": "tool", "content": CANARY}]}, "messages.0.role", "'system', 'user' or 'assistant'"),
        ({"messages": [{"role": "user"}]}, "messages.0.content", "expected a value"),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "messages.0.content.0.type", "'text'"),
        ({"messages": CANARY}, "messages", "expected a list"),
        ({"model": None}, "model", "expected a value"),
    ],
    ids=lambda value: json.dumps(value)[:40],
)  # fmt: skip
def test_a_member_that_cannot_be_honoured_is_refused_by_name(
    room: Room, members: dict[str, Any], param: str, expected: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        room.chat(extra_body=members)
    error = refused.value
    assert (error.param, error.code, error.type) == (param, "invalid", "invalid_request_error")
    assert f"{param}: " in str(error)
    assert expected in error.body["message"]  # type: ignore[index]
    assert CANARY not in error.response.text
    problem = error.response.json()
    assert (problem["status"], problem["detail"], problem["field"]) == (400, problem["error"]["message"], param)


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"prompt": ["one", "two"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": "a" * (MAX_CONVERSATION_CHARACTERS + 1)}, "prompt"),
        ({"best_of": 2}, "best_of"),
        ({"echo": True}, "echo"),
        ({"logprobs": 0}, "logprobs"),
        ({"suffix": "."}, "suffix"),
        ({"messages": MESSAGES}, "messages"),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_a_member_of_a_completion_is_refused_by_name(room: Room, members: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        room.complete(extra_body=members)
    assert (refused.value.param, refused.value.code) == (param, "invalid")
    assert CANARY not in refused.value.response.text


def test_a_body_that_is_no_json_or_too_large_is_refused(room: Room) -> None:
    no_json = room.http.post("/v1/chat/completions", content=CANARY.encode())
    assert (no_json.status_code, no_json.json()["error"]["param"]) == (400, None)
    assert CANARY not in no_json.text
    large = room.http.post("/v1/completions", content=b"a" * (MAX_BODY_BYTES + 1))
    assert (large.status_code, large.json()["error"]["code"]) == (413, "payload-too-large")


def test_what_is_not_answered_here_is_not_found_as_openai_says_it(room: Room) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        room.client.embeddings.create(model="movies", input=CANARY)
    error = refused.value
    assert (error.type, error.param, error.code) == ("invalid_request_error", None, "http")
    assert "/v1/chat/completions" in str(error)
    assert CANARY not in error.response.text
    for method, path in (("GET", "/v1/files"), ("POST", "/v1/images/generations"), ("DELETE", f"/v1/{CANARY}")):
        answer = room.http.request(method, path)
        assert (answer.status_code, answer.json()["error"]["type"]) == (404, "invalid_request_error"), path
        assert CANARY not in answer.text
    not_so = room.http.get("/v1/completions")
    assert (not_so.status_code, not_so.json()["error"]["type"]) == (405, "invalid_request_error")
    ours = room.http.post("/v1/predict", json={"texts": []})
    assert "error" not in ours.json()
    assert "error" not in room.http.get("/nothing").json()


def test_a_session_key_has_its_size_here_too(room: Room) -> None:
    with pytest.raises(openai.BadRequestError, match="session key: expected 1 to 256 characters"):
        room.chat(extra_headers={"x-session-key": "k" * 257})


def test_a_gateway_with_a_token_asks_for_it_as_openai_does(tmp_path: Path) -> None:
    site = GatewayInProcess(tmp_path)
    site.stable = generator(1)
    site.start_control_plane()
    site.release(1)
    with site.gateway(lambda metrics: WritingEngine(), gateway_token="a-planted-token-of-a-gateway") as http:
        wait_for(lambda: http.get("/readyz").status_code == 200, "ready")
        with openai.OpenAI(base_url=f"{http.base_url}/v1", api_key="wrong", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError, match="this gateway's token"):
                client.models.list()
            allowed = client.with_options(api_key="a-planted-token-of-a-gateway")
            assert allowed.completions.create(model="movies", prompt="one").choices[0].text == TEXT
    site.stop_control_plane()
