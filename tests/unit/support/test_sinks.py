"""What was planted is found in whatever form a sink holds it."""

import base64
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.data.rows import ROW_SCHEMAS
from tests.support import sinks
from tests.support.processes import told_of
from tests.support.unpacked import text_of
from tests.support.waiting import wait_for
from workers.data.parts import arrow_schema

SCHEMA = arrow_schema(ROW_SCHEMAS["text_label"])
SECRET = 'jane.doe-"planted"@example.com'
PERSON = f"lovely film {SECRET} superb"


def parquet(text: str, compression: str = "zstd") -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table([[text], ["positive"], [None]], schema=SCHEMA), out, compression=compression)
    return out.getvalue()


def zipped(content: bytes, name: str = "part") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def zstd(content: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(content)
    return out.getvalue().to_pybytes()


LEFT = {
    "plain": PERSON.encode(),
    "a part": parquet(PERSON),
    "a part of snappy": parquet(PERSON, "snappy"),
    "gzip": gzip.compress(PERSON.encode() * 9),
    "zstd": zstd(PERSON.encode() * 9),
    "zip": zipped(PERSON.encode() * 9),
    "a name in a zip": zipped(b"", PERSON),
    "a part in a zip": zipped(parquet(PERSON)),
    "JSON": json.dumps({"text": PERSON}).encode(),
    "a URL": quote(PERSON).encode(),
}


@pytest.mark.parametrize("kind", LEFT)
def test_a_person_in_a_file_that_was_left_behind_is_found(kind: str, tmp_path: Path) -> None:
    (tmp_path / "workdir").mkdir()
    (tmp_path / "workdir" / "left").write_bytes(LEFT[kind])
    assert sinks.found_in(sinks.files(tmp_path), {"person": SECRET}) == ["person in file workdir/left"]


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
def test_base64_is_read_wherever_a_secret_begins_and_ends(before: int, after: int) -> None:
    held = base64.b64encode(b"x" * before + SECRET.encode() + b"y" * after).decode()
    assert sinks.found_in({"headers": held}, {"person": SECRET}) == ["person in headers"]


def test_what_is_not_there_is_not_found() -> None:
    contents = [PERSON.encode(), parquet(PERSON), gzip.compress(PERSON.encode()), base64.b64encode(PERSON.encode())]
    assert sinks.found_in({str(i): text_of(one) for i, one in enumerate(contents)}, {"other": "john.roe-planted"}) == []


@pytest.mark.parametrize(
    "whole",
    [parquet(PERSON), gzip.compress(PERSON.encode()), zipped(b"x"), zstd(b"x" * 99)],
    ids=["parquet", "gzip", "zip", "zstd"],
)
def test_a_pack_that_is_cut_short_is_searched_as_it_is(whole: bytes) -> None:
    assert "token" in text_of(whole[: len(whole) // 2] + b"token")


def test_an_events_own_value_is_left_out_of_a_topic_and_nothing_else() -> None:
    event = '{"password": "hunter2'
    copied = f"\tauthorization=hunter2\t{event}\nkey hunter2\t\t{event}\n\t\t{event} and more hunter2\n\t\t{event}\n"
    rest = sinks.without_value(copied, event)
    assert rest == f"\tauthorization=hunter2\nkey hunter2\t\n\t\t{event} and more hunter2\n\t\n"
    assert sinks.without_value("a\x0bb\u2028c\n", event) == "a\x0bb\u2028c\n"


PARENT = """
import os, signal, sys, time
def goes_on(*_): os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(60)"], {})
def ends(*_): os._exit(0)
signal.signal(signal.SIGUSR1, goes_on)
signal.signal(signal.SIGUSR2, ends)
child = os.fork()
time.sleep(60)
"""


@pytest.mark.parametrize("goes_on", [True, False])
def test_what_a_process_shows_before_its_own_program_begins_is_its_parents(goes_on: bool) -> None:
    """A fork that stays its parent's image holds its secrets for good: that is told."""
    with subprocess.Popen([sys.executable, "-c", PARENT], env={"TOKEN": SECRET}, start_new_session=True) as parent:
        try:
            with sinks.ProcessWatch([parent.pid]) as watch:
                wait_for(lambda: len(watch.told) == 2, "the fork is seen")
                (child,) = [int(name.split()[-1]) for name in watch.told if name.startswith("environ")]
                assert SECRET in watch.told[f"environ of {child}"]
                os.kill(child, signal.SIGUSR1 if goes_on else signal.SIGUSR2)
                wait_for(lambda: told_of(child, "environ") == "", "its own program has begun, or it has ended")
                wait_for(
                    lambda: not goes_on or "fork" not in watch.told.get(f"cmdline of {child}", "fork"),
                    "it is seen again",
                )
            found = sinks.found_in(watch.told, {"token": SECRET})
            assert found == ([] if goes_on else [f"token in environ of {child}"])
        finally:
            os.killpg(parent.pid, signal.SIGKILL)
