"""A refusal that does not say why is found: planted answers of an API and of a gateway."""

from typing import Any

import httpx
import pytest

from controlplane.store.database import UNSTORABLE
from schemas.kafka_binding import KafkaMessage
from schemas.problem import MEDIA_TYPE
from tests.trials.hostile.event_judge import faults_of_answer
from tests.trials.hostile.event_plan import Planned
from tests.trials.hostile.refusals import GENERAL, lacks

NAMELESS = {"title": GENERAL, "detail": "wrong"}
GOOD, BAD = (Planned("a kind", KafkaMessage(None, b"{}", ()), event_id) for event_id in ("1", None))


def said(
    answered: int = 422, /, *, by_gateway: bool = False, headers: dict[str, str] | None = None, **members: Any
) -> str:
    problem = {"status": answered, **NAMELESS, **members}
    return "; ".join(lacks(answered, {"content-type": MEDIA_TYPE, **(headers or {})}, problem, by_gateway=by_gateway))


@pytest.mark.parametrize(
    "members",
    [{"field": "body"}, {"errors": [{"field": "name", "expected": "a string"}]}, {"detail": UNSTORABLE}],
    ids=str,
)
def test_a_422_of_the_api_names_a_field_or_several(members: dict[str, Any]) -> None:
    assert said(**members) == ""


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"field": ""},
        {"errors": []},
        {"errors": [{"field": "a", "expected": "b"}, {"field": "c", "expected": ""}]},
        {"errors": [{"field": "", "expected": "b"}]},
        {"detail": "text: named in words alone"},
    ],
    ids=str,
)
def test_a_422_of_the_api_that_names_nothing_is_found(members: dict[str, Any]) -> None:
    assert said(**members).startswith("a 422 that names nothing")


def test_a_gateway_names_it_in_the_detail_or_by_a_title_of_its_own() -> None:
    assert said(by_gateway=True, detail="texts.0: Input should be a valid string") == ""
    assert said(by_gateway=True, title="Binary tensors are not supported") == ""
    assert "names nothing" in said(by_gateway=True)
    assert "names nothing" in said(by_gateway=True, detail=": Input should be a valid string")


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (said(404), ""),
        (said(404, headers={"content-type": "application/json"}), "content-type application/json"),
        (said(404, status=400), "status 400 in the body"),
        (said(404, title=""), "no title"),
        (said(404, detail=None), "no detail"),
        (said(405), "a 405 without Allow"),
        (said(405, headers={"allow": "GET"}), ""),
    ],
)
def test_every_refusal_repeats_its_status_and_says_why(found: str, fault: str) -> None:
    assert found == fault


def answer(status: int, **members: Any) -> httpx.Response:
    body = {"status": status, "title": "t", "detail": "d", **members}
    return httpx.Response(status, headers={"content-type": MEDIA_TYPE}, json=body)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 302, 304, 500, 503])
def test_a_bad_event_that_is_not_refused_is_found(status: int) -> None:
    assert faults_of_answer(BAD, answer(status, field="body"))


@pytest.mark.parametrize("status", [200, 204, 302, 422, 500])
def test_a_good_event_that_is_not_accepted_is_found(status: int) -> None:
    assert faults_of_answer(GOOD, answer(status, field="body"))


def test_a_good_event_is_202_and_a_bad_one_4xx_in_words() -> None:
    assert faults_of_answer(GOOD, answer(202)) == []
    assert faults_of_answer(BAD, answer(422, field="body")) == []
    assert faults_of_answer(BAD, answer(413)) == []
    assert "names nothing" in "".join(faults_of_answer(BAD, answer(422)))


def test_only_a_request_that_is_no_http_is_refused_without_a_problem() -> None:
    assert faults_of_answer(BAD, httpx.Response(400, text="Invalid HTTP request received.")) == []
    assert faults_of_answer(BAD, httpx.Response(400, text="no"))
    assert faults_of_answer(GOOD, httpx.Response(400, text="Invalid HTTP request received."))
