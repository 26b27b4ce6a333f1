"""What a caller gets from a gateway: answers that say their version, and clear refusals."""

import logging
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from schemas.prediction_id import verify_prediction_id
from tests.support.scripted_engine import SIGNING_KEY
from tests.support.waiting import wait_for
from workers.serve.protocols.requests import MAX_BODY_BYTES, MAX_CHARACTERS, MAX_ROWS
from workers.serve.settings import GatewaySettings


def claims_of(prediction: dict[str, Any]) -> Any:
    return verify_prediction_id(prediction["prediction_id"], lambda name: SIGNING_KEY if name == "reviews" else None)


def test_an_answer_says_which_version_gave_it(stateless_client: httpx.Client) -> None:
    answer = stateless_client.post("/v1/predict", json={"texts": ["a good film", "a bad film"]})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["model"], body["version"], body["variant"], body["rollout_id"]) == ("movies", 1, "stable", None)
    assert answer.headers["x-model-version"] == "movies/1"
    assert answer.headers["x-variant"] == "stable"
    assert answer.headers["x-request-id"] == body["request_id"]
    assert "x-rollout-id" not in answer.headers
    assert [p["label"] for p in body["predictions"]] == ["negative", "negative"]
    assert sum(body["predictions"][0]["scores"].values()) == pytest.approx(1.0)


def test_every_row_has_its_own_signed_prediction_id(stateless_client: httpx.Client) -> None:
    body = stateless_client.post("/v1/predict", json={"texts": ["one", "two"]}).json()
    first, second = (claims_of(p) for p in body["predictions"])
    assert (first.d, first.g, first.a, first.i, first.c, first.n) == ("reviews", 1, "stable", 0, "negative", False)
    assert (second.i, second.u) == (1, first.u) == (1, body["request_id"])


def test_a_callers_request_id_is_not_taken(stateless_client: httpx.Client) -> None:
    answer = stateless_client.post("/v1/predict", json={"text": "one"}, headers={"x-request-id": "mine"})
    assert answer.headers["x-request-id"] != "mine"


def test_the_open_inference_protocol(stateless_client: httpx.Client) -> None:
    assert stateless_client.get("/v2").json()["name"] == "graftwork-gateway"
    assert stateless_client.get("/v2/health/live").json() == {"live": True}
    assert stateless_client.get("/v2/health/ready").json() == {"ready": True}
    assert stateless_client.get("/v2/models/movies/ready").json() == {"name": "movies", "ready": True}
    metadata = stateless_client.get("/v2/models/movies").json()
    assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    tensor = {"name": "text", "datatype": "BYTES", "shape": [2, 1], "data": ["a good film", "a bad film"]}
    answer = stateless_client.post("/v2/models/movies/infer", json={"id": "mine", "inputs": [tensor]})
    body = answer.json()
    assert (body["model_name"], body["model_version"], body["id"]) == ("movies", "1", "mine")
    outputs = {output["name"]: output for output in body["outputs"]}
    assert outputs["label"]["data"] == ["negative", "negative"]
    assert (outputs["scores"]["shape"], len(outputs["scores"]["data"])) == ([2, 2], 4)
    assert len(outputs["prediction_id"]["data"]) == 2
    assert answer.headers["x-model-version"] == "movies/1"
    only = stateless_client.post(
        "/v2/models/movies/infer", json={"inputs": [tensor], "outputs": [{"name": "label"}]}
    ).json()
    assert [output["name"] for output in only["outputs"]] == ["label"]


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        ({"name": "tokens"}, "'text'"),
        ({"datatype": "FP32"}, "'BYTES'"),
        ({"shape": [3]}, "expected shape [1] or [1, 1]"),
        ({"data": []}, "at least 1"),
    ],
)
def test_a_wrong_tensor_is_refused_with_what_was_expected(
    stateless_client: httpx.Client, tensor: dict[str, Any], expected: str
) -> None:
    good = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["x"]}
    answer = stateless_client.post("/v2/models/movies/infer", json={"inputs": [good | tensor]})
    assert answer.status_code == 422
    assert expected in answer.json()["detail"]
    assert answer.json()["error"] == answer.json()["detail"]


def test_an_unknown_model_is_not_found(stateless_client: httpx.Client) -> None:
    answer = stateless_client.get("/v2/models/other")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert stateless_client.post("/v2/models/%00%ff/infer", json={}).status_code == 404


HOSTILE = [
    "",
    " ",
    "\0",
    "a\0b",
    "\u202e\u200b\ufeff",
    "\x1b[31m",
    "😀" * 500,
    "é" * MAX_CHARACTERS,
    "\uffff\ufffe",
    "' OR 1=1; --",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_answered(stateless_client: httpx.Client, text: str) -> None:
    assert stateless_client.post("/v1/predict", json={"text": text}).status_code == 200


REFUSED = {
    "lone surrogate": (b'{"text": "\\ud800"}', 422),
    "not UTF-8": (b'{"text": "\xff\xfe"}', 422),
    "not JSON": (b"text=hello", 422),
    "empty": (b"", 422),
    "deep": (b"[" * 100_000, 422),
    "huge number": (b'{"text": ' + b"9" * 10_000 + b"}", 422),
    "neither": (b"{}", 422),
    "both": (b'{"text": "a", "texts": ["b"]}', 422),
    "no rows": (b'{"texts": []}', 422),
    "not text": (b'{"texts": [1]}', 422),
    "unknown field": (b'{"text": "a", "text2": "b"}', 422),
    "long row": (b'{"text": "' + b"a" * (MAX_CHARACTERS + 1) + b'"}', 422),
    "many rows": (b'{"texts": [' + b",".join([b'"a"'] * (MAX_ROWS + 1)) + b"]}", 422),
    "large body": (b'{"text": "' + b"a" * MAX_BODY_BYTES + b'"}', 413),
    "long key": (b'{"text": "a", "session_key": "' + b"k" * 257 + b'"}', 422),
    "surrogate key": (b'{"text": "a", "session_key": "\\udfff"}', 422),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_taken_is_refused_clearly(stateless_client: httpx.Client, case: str) -> None:
    body, status = REFUSED[case]
    for path in ("/v1/predict", "/v2/models/movies/infer"):
        answer = stateless_client.post(path, content=body)
        assert answer.status_code == (413 if status == 413 else 422)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


def test_no_text_is_logged_or_sent_back_in_a_refusal(
    stateless_client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        refused = stateless_client.post("/v1/predict", json={"texts": ["my secret diary", 5]})
        failed = stateless_client.post("/v1/predict", json={"text": "please raise my secret diary"})
    assert (refused.status_code, failed.status_code) == (422, 500)
    assert "secret diary" not in refused.text + failed.text + caplog.text
    assert "please raise" not in failed.text + caplog.text


def test_a_model_that_answers_nan_is_an_error(stateless_client: httpx.Client) -> None:
    answer = stateless_client.post("/v1/predict", json={"text": "please nan"})
    assert answer.status_code == 500
    assert answer.headers["x-variant"] == "stable"


def test_metrics_count_what_was_served(client: httpx.Client) -> None:
    client.post("/v1/predict", json={"text": "one"})
    client.post("/v1/predict", json={"text": "please raise"})
    page = client.get("/metrics").text
    assert 'graftwork_gateway_requests_total{outcome="ok",variant="stable",version="movies/1"} 1.0' in page
    assert 'outcome="prediction-failed",variant="stable"' in page
    assert "graftwork_gateway_generation 1.0" in page
    assert "graftwork_gateway_batch_rows_count" in page


def test_with_a_token_set_only_health_is_open(site: Any) -> None:
    site.release(1)
    with site.gateway(gateway_token="let-me-in-please-1") as client:
        wait_for(lambda: client.get("/readyz").status_code == 200, "ready")
        assert client.get("/v2/health/ready").status_code == 200
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic let-me-in-please-1"}):
            refused = client.post("/v1/predict", json={"text": "one"}, headers=headers)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert client.get("/v2/models/movies", headers=headers).status_code == 401
            assert client.get("/metrics", headers=headers).status_code == 401
        answer = client.post(
            "/v1/predict", json={"text": "one"}, headers={"authorization": "Bearer let-me-in-please-1"}
        )
        assert answer.status_code == 200


def test_wrong_tokens_are_slowed_down_and_the_right_one_still_passes(site: Any) -> None:
    site.release(1)
    right = {"authorization": "Bearer let-me-in-please-1"}
    with site.gateway(gateway_token="let-me-in-please-1", failed_logins_per_minute=3) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200, "ready")
        wrong = [client.get("/metrics", headers={"authorization": f"Bearer {n}"}) for n in range(4)]
        assert [answer.status_code for answer in wrong] == [401, 401, 401, 429]
        assert 50 <= int(wrong[-1].headers["retry-after"]) <= 60
        assert client.post("/v1/predict", json={"text": "one"}, headers=right).status_code == 200
        page = client.get("/metrics", headers=right).text
    assert 'requests_total{outcome="ok"' in page
    assert page.count("requests_total{") == 1, "a refused caller is nobody's error"


@pytest.mark.parametrize("token", ["", "short"])
def test_a_gateway_that_others_reach_wants_a_token_worth_its_name(token: str) -> None:
    with pytest.raises(ValidationError, match=r"GRAFTWORK_GATEWAY_TOKEN|at least 16 characters"):
        GatewaySettings(deployment="reviews", name="g", host="0.0.0.0", port=0, gateway_token=token)


def test_before_the_first_release_the_answer_is_not_ready(site: Any) -> None:
    site.release(0, stable=None)
    with site.gateway() as client:
        answer = client.post("/v1/predict", json={"text": "one"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        assert client.get("/v2/health/ready").json() == {"ready": False}
