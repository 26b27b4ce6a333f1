"""What a stopping server cuts off was given up before, and its caller was told."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.support.waiting import wait_for
from workers.serve.server import LAST_SECONDS, Server


def test_a_stream_that_does_not_end_is_given_up_and_told_so() -> None:
    given_up = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first "
        await given_up.wait()
        yield b"given up"

    async def endless(_: Request) -> Response:
        return StreamingResponse(pieces())

    async def give_up() -> None:
        given_up.set()

    app = Starlette(routes=[Route("/", endless)])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None)
    server = Server(config, LAST_SECONDS + 1, give_up)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, "the server")
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.stream("GET", f"http://127.0.0.1:{port}/", timeout=30) as answer:
        told = answer.iter_bytes()
        assert next(told) == b"first "
        stopped = time.monotonic()
        server.should_exit = True
        assert b"".join(told) == b"given up"
    assert time.monotonic() - stopped >= 1
    thread.join(30)
    assert not thread.is_alive()
