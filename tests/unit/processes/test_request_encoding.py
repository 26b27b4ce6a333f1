"""A body is decoded as it is read, and nothing unpacks to more than is allowed."""

import asyncio
import gzip
from collections.abc import Sequence

import pytest

from processes.asgi import Message, Receive, Scope, Send
from processes.request_encoding import BodyRefused, DecodedBody

LIMIT = 1_000


class Reader:
    """An application that reads its whole body."""

    def __init__(self) -> None:
        self.scope: Scope = {}
        self.body = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        more = True
        while more:
            message = await receive()
            self.body += message["body"]
            more = message.get("more_body", False)


class Caller:
    """Sends the chunks; counts how many were asked for."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self.chunks, self.asked = list(chunks), 0

    async def receive(self) -> Message:
        chunk = self.chunks[self.asked]
        self.asked += 1
        return {"type": "http.request", "body": chunk, "more_body": self.asked < len(self.chunks)}


async def nothing(_message: Message) -> None:
    return


def read(chunks: Sequence[bytes], *encodings: str) -> Reader:
    app = Reader()
    length = str(sum(map(len, chunks))).encode()
    headers = [(b"content-length", length), *((b"Content-Encoding", e.encode()) for e in encodings), (b"x-other", b"1")]
    caller = Caller(chunks)
    asyncio.run(DecodedBody(app, LIMIT)({"type": "http", "headers": headers}, caller.receive, nothing))
    return app


def refused(chunks: Sequence[bytes], *encodings: str) -> BodyRefused:
    with pytest.raises(BodyRefused) as caught:
        read(chunks, *encodings)
    return caught.value


def bytewise(data: bytes) -> list[bytes]:
    return [data[n : n + 1] for n in range(len(data))]


TEXT = b'{"text": "' + b"a quiet film " * 60 + b'"}'


@pytest.mark.parametrize("encoding", ["", "identity", " Identity ,identity"])
def test_a_plain_body_passes_unchanged_with_its_headers(encoding: str) -> None:
    app = read([TEXT[:5], TEXT[5:]], encoding)
    assert app.body == TEXT
    assert [name for name, _ in app.scope["headers"]] == [b"content-length", b"Content-Encoding", b"x-other"]


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "identity, gzip"])
@pytest.mark.parametrize("cut", [lambda data: [data], bytewise], ids=["whole", "byte by byte"])
def test_gzip_is_unpacked_and_its_headers_go(encoding: str, cut: object) -> None:
    app = read(cut(gzip.compress(TEXT)), encoding)  # type: ignore[operator]
    assert app.body == TEXT
    assert app.scope["headers"] == [(b"x-other", b"1")]


@pytest.mark.parametrize("cut", [lambda data: [data], bytewise], ids=["whole", "byte by byte"])
def test_several_members_are_one_body(cut: object) -> None:
    members = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two")
    assert read(cut(members), "gzip").body == b"one two"  # type: ignore[operator]


def test_a_body_of_nothing_is_nothing_in_any_encoding() -> None:
    assert read([b""], "gzip").body == b""


@pytest.mark.parametrize(
    "data",
    [TEXT, gzip.compress(TEXT)[:-1], gzip.compress(TEXT)[:-9], gzip.compress(TEXT) + b"more", b"\x1f"],
    ids=["plain", "a byte short", "without its end", "with something after it", "one byte"],
)
def test_what_is_not_gzip_is_refused_as_such(data: bytes) -> None:
    error = refused([data], "gzip")
    assert (error.status, error.field) == (422, "body")
    assert error.detail.startswith("expected gzip")


def test_the_limit_is_exact_on_both_sides() -> None:
    assert len(read([b"a" * LIMIT]).body) == LIMIT
    assert len(read([gzip.compress(b"a" * LIMIT)], "gzip").body) == LIMIT
    assert len(read(bytewise(gzip.compress(b"a" * LIMIT)), "gzip").body) == LIMIT
    for chunks, encodings in (
        ([b"a" * (LIMIT + 1)], ()),
        ([b"a" * LIMIT, b"a"], ()),
        ([gzip.compress(b"a" * (LIMIT + 1))], ("gzip",)),
        (bytewise(gzip.compress(b"a" * (LIMIT + 1))), ("gzip",)),
    ):
        assert refused(chunks, *encodings).status == 413


def test_a_bomb_is_refused_at_its_first_chunk_and_the_rest_is_never_asked_for() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    caller = Caller([bomb[n : n + 500] for n in range(0, len(bomb), 500)])
    app = Reader()
    scope = {"type": "http", "headers": [(b"content-encoding", b"gzip")]}
    with pytest.raises(BodyRefused) as caught:
        asyncio.run(DecodedBody(app, LIMIT)(scope, caller.receive, nothing))
    assert caught.value.status == 413
    assert caller.asked == 1
    assert app.body == b""


def test_members_that_unpack_to_nothing_are_bounded_by_what_comes_in() -> None:
    assert refused([gzip.compress(b"")] * 100, "gzip").status == 413


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "gzip;q=1", "zstd", "b" * 5_000])
def test_another_encoding_is_refused_before_anything_is_read(encoding: str) -> None:
    caller = Caller([b"x"])
    scope = {"type": "http", "headers": [(b"content-encoding", encoding.encode())]}
    with pytest.raises(BodyRefused) as caught:
        asyncio.run(DecodedBody(Reader(), LIMIT)(scope, caller.receive, nothing))
    error = caught.value
    assert (error.status, error.field, error.headers) == (415, "Content-Encoding", {"Accept-Encoding": "gzip"})
    assert error.detail.startswith("expected gzip or none")
    assert len(error.detail) < 150
    assert caller.asked == 0


def test_encodings_of_several_headers_are_read_as_one_list() -> None:
    assert refused([b"x"], "gzip", "br").status == 415
    assert read([gzip.compress(b"x")], "gzip", "identity").body == b"x"


def test_a_caller_that_hangs_up_is_passed_on() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    seen: list[Message] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        seen.append(await receive())

    scope = {"type": "http", "headers": [(b"content-encoding", b"gzip")]}
    asyncio.run(DecodedBody(app, LIMIT)(scope, receive, nothing))
    assert seen == [{"type": "http.disconnect"}]
