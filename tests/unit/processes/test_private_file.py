"""A file that others read while it is written again: whole, and its owner's alone."""

import json
import stat
import threading
from pathlib import Path

import pytest

from processes.private_file import write_private


def test_a_reader_has_the_old_text_or_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "addresses.json"
    texts = [json.dumps({"reviews": letter * 200_000}) for letter in "ab"]
    write_private(file, texts[0])
    done = threading.Event()

    def write() -> None:
        for number in range(300):
            write_private(file, texts[number % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not done.is_set() or not reads:
        assert file.read_text().strip() in texts
        reads += 1
    writer.join()


def test_it_is_its_owners_alone_even_where_it_was_everybodys(tmp_path: Path) -> None:
    file = tmp_path / "new" / "token"
    file.parent.mkdir()
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "gw_secret")
    assert file.read_text() == "gw_secret\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_cannot_be_written_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "token").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private(tmp_path / "token", "gw_secret")
    assert [path.name for path in tmp_path.iterdir()] == ["token"]
