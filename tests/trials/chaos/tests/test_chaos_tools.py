"""The tools that hurt: a cable that can be pulled, a clock that can be moved."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trials.chaos.clock import MovableClock
from tests.trials.chaos.proxy import Proxy

ASK_THE_TIME = """
import datetime, sys, time
for line in sys.stdin:
    before = time.monotonic()
    time.sleep(0.05)
    slept = time.monotonic() - before
    print(time.time(), datetime.datetime.now(datetime.UTC).timestamp(), 0.04 < slept < 5, flush=True)
"""


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says everything back."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(100):
                    connection.sendall(data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    made = Proxy(echo)
    yield made
    made.close()


def is_over(connection: socket.socket) -> bool:
    try:
        return connection.recv(100) == b""
    except ConnectionError:
        return True


def test_a_cable_that_is_whole_carries(proxy: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as user:
        user.sendall(b"hello")
        assert user.recv(100) == b"hello"


def test_what_goes_into_a_black_hole_arrives_when_it_is_healed(proxy: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as user:
        user.sendall(b"before")
        assert user.recv(100) == b"before"
        proxy.cut("black hole")
        user.sendall(b"late")
        user.settimeout(0.3)
        with pytest.raises(TimeoutError):
            user.recv(100)
        proxy.heal()
        user.settimeout(10)
        assert user.recv(100) == b"late"


def test_a_refused_connection_is_reset_and_nobody_listens_until_it_is_healed(proxy: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as user:
        user.sendall(b"before")
        assert user.recv(100) == b"before"
        proxy.cut("refused")
        assert is_over(user)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    proxy.heal()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as user:
        user.sendall(b"again")
        assert user.recv(100) == b"again"


def test_a_clock_jumps_both_ways_in_a_process_that_runs_and_nothing_else_does(tmp_path: Path) -> None:
    clock = MovableClock(tmp_path)
    if clock.reason:
        pytest.skip(f"NOT RUN: {clock.reason}")
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", ASK_THE_TIME],
        env={**os.environ, **clock.environment()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        for ahead in (0, 7_200, -90, 0):
            clock.set(ahead)
            process.stdin.write("\n")
            process.stdin.flush()
            wall, date, slept = process.stdout.readline().split()
            assert float(wall) == pytest.approx(time.time() + ahead, abs=20)
            assert float(date) == pytest.approx(float(wall), abs=5)
            assert slept == "True"
        process.stdin.close()
