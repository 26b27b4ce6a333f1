"""HEAD answers as GET does, without the content."""

import asyncio

import pytest

from processes.asgi import Message, Receive, Scope, Send
from processes.head_requests import HeadAsGet


def answered(method: str, allow: bytes = b"") -> tuple[str, list[Message], Scope]:
    """What the application saw as method, what went out, and the scope that the server holds."""
    seen: list[str] = []
    sent: list[Message] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(scope["method"])
        headers = [(b"content-length", b"4"), *([(b"allow", allow)] if allow else [])]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ab", "more_body": True})
        await send({"type": "http.response.body", "body": b"cd"})

    async def receive() -> Message:
        raise AssertionError("nobody asked")

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": method}
    asyncio.run(HeadAsGet(app)(scope, receive, send))
    return seen[0], sent, scope


def test_head_runs_gets_route_and_sends_its_headers_alone() -> None:
    method, sent, scope = answered("HEAD")
    assert method == "GET"
    assert (sent[0]["status"], sent[0]["headers"]) == (200, [(b"content-length", b"4")])
    assert [message["body"] for message in sent[1:]] == [b"", b""]
    assert [message.get("more_body", False) for message in sent[1:]] == [True, False]
    assert scope["method"] == "HEAD"  # the server itself must know that no content follows


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_methods_pass_unchanged(method: str) -> None:
    seen, sent, _ = answered(method)
    assert seen == method
    assert [message["body"] for message in sent[1:]] == [b"ab", b"cd"]


@pytest.mark.parametrize(
    ("allow", "told"),
    [
        (b"GET", b"GET, HEAD"),
        (b"GET, PUT", b"GET, HEAD, PUT"),
        (b"POST,GET", b"POST, GET, HEAD"),
        (b"GET, HEAD", b"GET, HEAD"),
        (b"POST", b"POST"),
    ],
)
def test_a_path_that_allows_get_allows_head(allow: bytes, told: bytes) -> None:
    _, sent, _ = answered("PATCH", allow)
    assert (b"allow", told) in sent[0]["headers"]
