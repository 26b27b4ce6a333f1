"""The Open Inference Protocol as its clients speak it: nulls, nested data, versions, binary tensors."""

import gzip
import json
import struct
from typing import Any
from uuid import UUID

import httpx
import pytest

from schemas.prediction_id import verify_prediction_id
from tests.support.scripted_engine import SIGNING_KEY
from tests.support.waiting import wait_for

INFER = "/v2/models/movies/infer"
NESTED = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [2, 1], "data": [["a was rude"], ["b was great"]]}]}
HEADER = "inference-header-content-length"


def tensor(**members: Any) -> dict[str, Any]:
    return {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["one", "two"]} | members


def detail(answer: httpx.Response) -> str:
    assert answer.status_code == 422, answer.text
    return str(answer.json()["detail"])


def elements(*texts: str | bytes) -> bytes:
    raw = [text if isinstance(text, bytes) else text.encode() for text in texts]
    return b"".join(struct.pack("<I", len(one)) + one for one in raw)


def binary(client: httpx.Client, data: bytes, size: int | None = None, **members: Any) -> httpx.Response:
    parameters = {"binary_data_size": len(data) if size is None else size}
    asked = {"name": "text", "datatype": "BYTES", "shape": [2], "parameters": parameters}
    header = json.dumps({"inputs": [asked], **members}).encode()
    return client.post(INFER, content=header + data, headers={HEADER: str(len(header))})


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_data_may_be_nested_as_its_shape_says(stateless_client: httpx.Client) -> None:
    answer = stateless_client.post(INFER, json=NESTED)
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"][0]["data"] == ["negative", "negative"]


@pytest.mark.parametrize(
    "members",
    [
        {"id": None},
        {"parameters": None},
        {"outputs": None},
        {"outputs": [{"name": "label", "parameters": None}]},
        {"outputs": [{"name": "label", "parameters": {"binary_data": None}}]},
        {"parameters": {"session_key": None, "binary_data_output": None, "other": None}},
        {"inputs": [tensor(parameters=None)]},
        {"inputs": [tensor(parameters={"binary_data_size": None, "content_type": None})]},
        {"unknown": None},
    ],
    ids=json.dumps,
)
def test_null_means_absent(stateless_client: httpx.Client, members: dict[str, Any]) -> None:
    answer = stateless_client.post(INFER, json={"inputs": [tensor()]} | members)
    assert answer.status_code == 200, answer.text


def test_null_is_no_value_for_what_is_needed(stateless_client: httpx.Client) -> None:
    assert "inputs" in detail(stateless_client.post(INFER, json={"inputs": None}))
    assert "inputs.0.name" in detail(stateless_client.post(INFER, json={"inputs": [tensor(name=None)]}))
    assert "data" in detail(stateless_client.post(INFER, json={"inputs": [tensor(data=None)]}))


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ([2], [["a"], ["b"]]),
        ([1, 2], [["a", "b"]]),
        ([2, 1], [["a"], "b"]),
        ([2, 1], [["a", "b"], []]),
        ([2, 1], [["a"]]),
        ([2, 1], [["a"], ["b"], ["c"]]),
        ([3], ["a", "b"]),
        ([2, 2], ["a", "b"]),
        ([1, 1, 1], [[["a"]]]),
    ],
)
def test_data_that_its_shape_does_not_describe_is_refused_in_one_line(
    stateless_client: httpx.Client, shape: list[int], data: list[Any]
) -> None:
    told = detail(stateless_client.post(INFER, json={"inputs": [tensor(shape=shape, data=data)]}))
    assert "shape" in told
    assert ";" not in told, "one cause"
    assert "Value error" not in told


# --- versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/ready", "/infer"])
def test_a_version_may_be_named_and_one_that_is_not_served_is_not_found(
    stateless_client: httpx.Client, path: str
) -> None:
    def ask(version: str) -> httpx.Response:
        url = f"/v2/models/movies/versions/{version}{path}"
        return stateless_client.post(url, json=NESTED) if path == "/infer" else stateless_client.get(url)

    assert ask("1").status_code == 200
    for version in ("2", "01", "one"):
        missing = ask(version)
        assert (missing.status_code, missing.json()["detail"]) == (404, "version: expected 1, which is served now")


def test_a_named_version_answers_and_counts_for_no_arm(site: Any, client: httpx.Client) -> None:
    site.roll_out(2, weight=0.5)
    wait_for(lambda: "graftwork_gateway_applied_weight 0.5" in client.get("/metrics").text, "weight applied")
    for version, label, arm in (("1", "negative", "stable"), ("2", "positive", "canary")):
        answers = [client.post(f"/v2/models/movies/versions/{version}/infer", json=NESTED) for _ in range(8)]
        for answer in answers:
            body = answer.json()
            outputs = {one["name"]: one["data"] for one in body["outputs"]}
            assert (body["model_version"], outputs["label"]) == (version, [label] * 2)
            claims = verify_prediction_id(outputs["prediction_id"][0], lambda _: SIGNING_KEY)
            assert (claims.n, claims.a, claims.v) == (False, arm, UUID(int=int(version)))
    first = len(site.observed())
    wait_for(lambda: len(site.observed()) > first + 2, "their seconds have been told")
    told = [g for o in site.observed() for g in o.generations if g.generation == 2]
    assert sum(g.stable.units + g.canary.units for g in told) == 0


def test_a_canary_without_weight_is_not_served_by_its_name(site: Any, client: httpx.Client) -> None:
    site.control.lease_seconds = 0.0
    site.roll_out(2, weight=1.0)
    wait_for(lambda: site.canary.id in site.control.reports[-1].loaded, "the canary is loaded")
    assert client.post("/v2/models/movies/versions/2/infer", json=NESTED).status_code == 404


def test_a_chosen_version_that_fails_is_nobodys_error(site: Any, client: httpx.Client) -> None:
    body = {"inputs": [tensor(shape=[1], data=["please raise"])]}
    assert client.post("/v2/models/movies/versions/1/infer", json=body).status_code == 500
    client.post("/v1/predict", json={"text": "one"})
    wait_for(lambda: sum(g.stable.units for o in site.observed() for g in o.generations), "the counted unit")
    assert sum(g.stable.error for o in site.observed() for g in o.generations) == 0


# --- binary tensors ---------------------------------------------------------------------------------------------------


def test_a_binary_tensor_is_read(stateless_client: httpx.Client) -> None:
    answer = binary(stateless_client, elements("grün 😀", ""))
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"][0]["data"] == ["negative", "negative"]
    assert stateless_client.get("/v2").json()["extensions"] == ["binary_tensor_data"]


@pytest.mark.parametrize("whole", [True, False])
def test_outputs_are_binary_where_asked(stateless_client: httpx.Client, whole: bool) -> None:
    scores = [{"name": "scores", "parameters": {"binary_data": True}}, {"name": "label"}]
    asked: dict[str, Any] = {"parameters": {"binary_data_output": True}} if whole else {"outputs": scores}
    answer = binary(stateless_client, elements("one", "two"), **asked)
    length = int(answer.headers[HEADER])
    assert answer.headers["content-type"] == "application/octet-stream"
    header, behind = json.loads(answer.content[:length]), answer.content[length:]
    outputs = {output["name"]: output for output in header["outputs"]}
    assert sum(o["parameters"]["binary_data_size"] for o in outputs.values() if "parameters" in o) == len(behind)
    if whole:
        assert list(outputs) == ["label", "scores", "prediction_id"]
        assert behind.startswith(elements("negative", "negative"))
        behind = behind[len(elements("negative", "negative")) :]
    else:
        assert outputs["label"]["data"] == ["negative", "negative"]
    found = struct.unpack("<4f", behind[:16])
    assert found[0] + found[1] == pytest.approx(1.0)
    assert answer.headers["x-model-version"] == "movies/1"


def test_an_output_may_refuse_what_the_request_asks_of_all(stateless_client: httpx.Client) -> None:
    body = {
        "inputs": [tensor()],
        "parameters": {"binary_data_output": True},
        "outputs": [{"name": "label", "parameters": {"binary_data": False}}],
    }
    assert stateless_client.post(INFER, json=body).json()["outputs"][0]["data"] == ["negative", "negative"]


def test_a_compressed_binary_request_is_measured_unpacked(stateless_client: httpx.Client) -> None:
    data = elements("one", "two")
    asked = {"name": "text", "datatype": "BYTES", "shape": [2, 1], "parameters": {"binary_data_size": len(data)}}
    header = json.dumps({"inputs": [asked]}).encode()
    sent = {HEADER: str(len(header)), "content-encoding": "gzip"}
    assert stateless_client.post(INFER, content=gzip.compress(header + data), headers=sent).status_code == 200


@pytest.mark.parametrize(
    ("data", "size", "said"),
    [
        (elements("one", "two")[:-1], None, "expected 3 bytes of element 1"),
        (elements("one", "two") + b"\0", None, "expected a length in four bytes at byte 14"),
        (elements("one", "two"), 13, "expected 14, as many bytes as follow the JSON, not 13"),
        (struct.pack("<I", 2**32 - 1), None, "expected 4294967295 bytes of element 0"),
        (elements(b"\xff", "two"), None, "expected UTF-8 in element 0"),
        (elements("one"), None, "expected shape [1] or [1, 1]"),
        (b"", None, "inputs.0"),
        (elements(*["x"] * 65), None, "at most 64"),
        (elements("x" * 20_001, "two"), None, "at most 20000 characters"),
    ],
)
def test_a_binary_tensor_that_is_none_is_refused(
    stateless_client: httpx.Client, data: bytes, size: int | None, said: str
) -> None:
    assert said in detail(binary(stateless_client, data, size))


@pytest.mark.parametrize("length", ["1000000", "-1", "x", "", "9" * 5_000, "²"])
def test_a_header_length_that_cannot_be_is_refused_by_its_name(stateless_client: httpx.Client, length: str) -> None:
    headers = [(HEADER.encode(), length.encode())]
    answer = stateless_client.post(INFER, content=json.dumps(NESTED).encode(), headers=headers)
    assert detail(answer).startswith("Inference-Header-Content-Length: expected")


def test_data_in_json_and_in_binary_is_one_too_many(stateless_client: httpx.Client) -> None:
    data = elements("one", "two")
    body = {"inputs": [tensor(parameters={"binary_data_size": len(data)})]}
    header = json.dumps(body).encode()
    answer = stateless_client.post(INFER, content=header + data, headers={HEADER: str(len(header))})
    assert "expected either data or parameters.binary_data_size" in detail(answer)
