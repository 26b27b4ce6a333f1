"""The load generator measures what it says: open loop, from the intended time, and it says when it fell behind."""

import asyncio
import json
import math
import random
import statistics
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from tests.trials.load.__main__ import main
from tests.trials.load.arrivals import parse_mix, schedule
from tests.trials.load.generator import Done, run
from tests.trials.load.histogram import Histogram
from tests.trials.load.report import kept_up, to_json, to_text
from tests.trials.load.targets import TARGETS, World

Respond = Callable[[asyncio.StreamWriter], Awaitable[None]]
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-model-version: mood/1\r\n\r\n{}"


@contextmanager
def server(respond: Respond) -> Iterator[str]:
    """Calls `respond` for every request that has arrived whole."""
    loop = asyncio.new_event_loop()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            await respond(writer)

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    started = loop.run_until_complete(asyncio.start_server(quiet, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{started.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(started.close)
        asyncio.run_coroutine_threadsafe(_end_tasks(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end_tasks() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # closed transports are let go in the loop's next turn


def world(api: str) -> World:
    return World(api, "token", [api], [("a fine film", "positive")], "mood")


def test_a_server_that_stalls_is_charged_for_every_request_that_was_due_meanwhile() -> None:
    """A closed loop would wait for the first answer for ever: this server gives none until all ten have come."""
    waiting: list[asyncio.StreamWriter] = []

    async def stall(writer: asyncio.StreamWriter) -> None:
        waiting.append(writer)
        if len(waiting) == 10:
            for one in waiting:
                one.write(ANSWER)

    records: list[Done] = []
    with server(stall) as url:
        due = [(number * 0.02, "champion") for number in range(10)]
        result = run(world(url), due, records.append)
    assert result.tallies["champion"].ok == 10
    latencies = sorted((done.done - done.intended for done in records), reverse=True)
    # the last one is due 0.18 s after the first, the one before it 0.02 s later, …
    assert all(latency >= 0.18 - 0.02 * place - 0.001 for place, latency in enumerate(latencies))
    assert result.tallies["champion"].latency.percentile(50) is not None
    assert (result.tallies["champion"].latency.percentile(50) or 0) >= 79


def test_answers_are_told_apart_by_what_they_were() -> None:
    turns = iter([ANSWER, b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", b"", b"nonsense\r\n\r\n"])

    async def vary(writer: asyncio.StreamWriter) -> None:
        data = next(turns)
        writer.write(data)
        if not data:
            writer.close()

    records: list[Done] = []
    with server(vary) as url:
        result = run(world(url), [(0.1 * number, "champion") for number in range(4)], records.append)
    assert Counter(done.outcome for done in records) == {
        "200": 1,
        "503": 1,
        "the connection ended before the answer": 1,
        "an answer that is no HTTP/1.1 with a length": 1,
    }
    assert [done.version for done in records if done.outcome == "200"] == ["mood/1"]
    tally = result.tallies["champion"]
    assert (tally.sent, tally.ok, sum(tally.errors.values())) == (4, 1, 3)
    assert "1 x champion: 503" in to_text(to_json(result, {}))


NOT_UNDERSTOOD = [
    ("predict", b"{}"),
    ("predict", b'{"predictions": []}'),
    ("predict", b"<html>"),
    ("submit", b'{"job": "one"}'),
]


@pytest.mark.parametrize(("target", "body"), NOT_UNDERSTOOD)
def test_a_good_status_with_an_answer_that_says_nothing_is_an_error(target: str, body: bytes) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))

    records: list[Done] = []
    with server(answer) as url:
        result = run(world(url), [(0.01 * number, target) for number in range(5)], records.append)
    tally = result.tallies[target]
    assert (tally.sent, tally.ok, sum(tally.errors.values())) == (5, 0, 5)
    # benchmarks judge from the records: there is one of each request, and none of them says "200"
    assert [done.outcome.partition(":")[0] for done in records] == ["200, not understood"] * 5


def test_a_fault_of_the_generator_itself_is_told_and_not_lost_with_its_request() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(ANSWER)

    def full(_done: Done) -> None:
        raise OSError("no space left")

    with server(answer) as url, pytest.raises(OSError, match="no space left"):
        run(world(url), [(0.0, "champion")], full)


@pytest.mark.parametrize(("status", "code"), [(b"200 OK", 0), (b"500 Broken", 1)])
def test_load_ends_as_its_requests_did(status: bytes, code: int, tmp_path: Path) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 %s\r\ncontent-length: 2\r\n\r\n{}" % status)

    (tmp_path / "rows.csv").write_text("text,label\na fine film,positive\n")
    (tmp_path / "token").write_text("secret")
    given = ["--token-file", str(tmp_path / "token"), "--rows", str(tmp_path / "rows.csv")]
    with server(answer) as url:
        asked = ["--api", url, "--gateway", url, *given, "--mix", "champion=1", "--rate", "20", "--seconds", "0.5"]
        # what a busy machine does to the generator is not the matter here
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.trials.load.report.BEHIND_MS", math.inf)
            patch.setattr("tests.trials.load.report.BUSY_SHARE", math.inf)
            assert main(asked) == code


def test_load_that_asked_nothing_has_shown_nothing(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na fine film,positive\n")
    (tmp_path / "token").write_text("secret")
    given = ["--token-file", str(tmp_path / "token"), "--rows", str(tmp_path / "rows.csv"), "--mix", "feedback=1"]
    url = "http://127.0.0.1:9"
    assert main(["--api", url, "--gateway", url, *given, "--rate", "20", "--seconds", "0.2"]) == 1


def test_nobody_listening_is_an_error_of_its_own() -> None:
    async def never(writer: asyncio.StreamWriter) -> None:
        writer.close()

    with server(never) as url:
        pass
    result = run(world(url), [(0.0, "champion")])
    assert dict(result.tallies["champion"].errors) == {"no connection: ConnectionRefusedError": 1}


def test_a_label_is_sent_for_an_answer_that_came_and_once() -> None:
    prediction = json.dumps({"predictions": [{"prediction_id": "one.two", "label": "positive"}]}).encode()
    told: list[bytes] = []

    async def answer(writer: asyncio.StreamWriter) -> None:
        told.append(b"")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(prediction), prediction))

    with server(answer) as url:
        result = run(world(url), [(0.0, "feedback"), (0.0, "predict"), (0.3, "feedback"), (0.3, "feedback")])
    assert result.tallies["feedback"].sent == 1
    assert result.tallies["feedback"].idle == 2


def test_labels_are_of_the_newest_answers_however_few_they_are() -> None:
    """Else a mix with fewer labels than predictions labels what answered a rollout ago."""
    known = world("http://127.0.0.1:9")
    known.answered.extend([("old", "positive"), ("new", "negative")])
    call = TARGETS["feedback"](known)
    assert call
    assert json.loads(call[0].body) == {"prediction_id": "new", "label": "negative"}


def test_a_generator_that_fell_behind_says_so() -> None:
    result = run(world("http://127.0.0.1:9"), [])
    assert kept_up(result)
    for _ in range(100):
        result.lag.record(0.02)
    assert not kept_up(result)
    assert "FELL BEHIND" in to_text(to_json(result, {}))


def test_percentiles_are_within_a_thousandth_of_the_exact_ones() -> None:
    dice = random.Random(3)
    values = [dice.lognormvariate(-5, 1.5) for _ in range(20_000)]
    whole = Histogram()
    for value in values:
        whole.record(value)
    ordered = sorted(values)
    for percent in (50, 90, 99, 99.9):
        exact = ordered[math.ceil(len(ordered) * percent / 100) - 1] * 1e3
        assert whole.percentile(percent) == pytest.approx(exact, rel=1e-3)
    assert Histogram().percentile(99) is None


def test_arrivals_keep_to_their_rate_and_their_shares() -> None:
    mix = parse_mix("predict=3, event=1", TARGETS)
    drawn = list(schedule(mix, rate=200, seconds=50, spacing="poisson", seed=7))
    assert drawn == list(schedule(mix, rate=200, seconds=50, spacing="poisson", seed=7))
    assert drawn == sorted(drawn)
    assert len(drawn) == pytest.approx(10_000, rel=0.05)  # 5 standard deviations
    assert sum(name == "predict" for _, name in drawn) / len(drawn) == pytest.approx(0.75, abs=0.025)
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(drawn)]
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.1)  # exponential: as wide as its mean
    even = [at for at, _ in schedule(mix, rate=4, seconds=1.1, spacing="fixed", seed=7)]
    assert even == pytest.approx([0.25, 0.5, 0.75, 1.0])


@pytest.mark.parametrize(
    ("mix", "says"),
    [
        ("prophecy=1", "unknown target 'prophecy': expected some of predict"),
        ("predict=much", "expected NAME=SHARE"),
        ("predict=-1", "not negative"),
        ("predict=0", "add up to nothing"),
    ],
)
def test_a_wrong_mix_is_refused_in_a_line(mix: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--mix", mix, "--api", "http://127.0.0.1:9"]) == 2
    assert says in capsys.readouterr().err


def test_what_a_running_system_needs_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--api", "http://127.0.0.1:9"]) == 2
    assert "--api needs --token-file and --gateway and --rows too" in capsys.readouterr().err
