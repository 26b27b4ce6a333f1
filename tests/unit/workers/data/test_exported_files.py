"""More ways in which programs write a table of texts and labels: each is read whole, or refused in words."""

import bz2
import csv
import io
import json
import lzma
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.jobs import CurateSpec, Source
from tests.support.curation import NO_SPLIT, curate, rejects_of
from workers.curate.advice import ADVICE
from workers.curate.formats.reading import read_records
from workers.curate.operators.validity import Validity
from workers.curate.rows import Record, Reject, Row
from workers.runtime.errors import JobError

KINDS = ("film", "meal, and drink", "trip", '"great" book', "shop; really", "it's a play")
TABLE = [(f"the {KINDS[n % len(KINDS)]} number {n}", ("pos", "neg")[n % 3 > 0]) for n in range(60)]
OBJECTS = [{"text": text, "label": label} for text, label in TABLE]


def delimited(rows: Sequence[Sequence[object]] = TABLE, head: Sequence[str] = ("text", "label"), **how: Any) -> bytes:
    written = io.StringIO()
    csv.writer(written, **{"lineterminator": "\n", **how}).writerows([head, *rows] if head else rows)
    return written.getvalue().encode()


def one_by_one(ends: Sequence[str]) -> bytes:
    rows = [delimited([row], (), lineterminator=ends[n % len(ends)]) for n, row in enumerate(TABLE)]
    return b"text,label\n" + b"".join(rows)


def quoted(rows: Sequence[Sequence[str]], before: str) -> bytes:
    doubled = [[field.replace('"', '""') for field in row] for row in rows]
    return "\n".join(f",{before}".join(f'"{field}"' for field in row) for row in doubled).encode()


def json_lines(between: str, **how: Any) -> bytes:
    return between.join(json.dumps(one, **how) for one in OBJECTS).encode()


BOM = b"\xef\xbb\xbf"
READ: dict[str, tuple[bytes, int]] = {
    "put-together.csv": (BOM + delimited(TABLE[:30]) + BOM + delimited(TABLE[30:]), 1),
    "a-title-above.csv": (b"Export of 2026-11-29,\r\n,\r\n" + delimited(), 2),
    "comments-above.tsv": (b"# made by a tool\n# version 2\n" + delimited(delimiter="\t"), 2),
    "single-quotes.csv": (delimited(quotechar="'", quoting=csv.QUOTE_ALL), 0),
    "single-quotes-where-needed.csv": (delimited(quotechar="'"), 0),
    "three-line-ends.csv": (one_by_one(["\r\n", "\r", "\n"]), 0),
    "spaces-behind-delimiters.csv": (quoted([("text", "label"), *TABLE], " "), 0),
    "kept-as-text-by-excel.csv": (delimited([(f'="{text}"', f'="{label}"') for text, label in TABLE]), 0),
    "an-index.csv": (delimited([(n, *row) for n, row in enumerate(TABLE)], ("", "text", "label")), 0),
    "padded-with-nul.csv": (delimited() + b"\0" * 4096, 1),
    "ends-as-in-dos.csv": (delimited() + b"\x1a", 1),
    "shorter-rows.csv": (
        b"text,label,note\n" + delimited([row if n % 2 else (*row, "x") for n, row in enumerate(TABLE)], ()),
        0,
    ),
    "over-several-lines.json": (json_lines("\n", indent=2), 0),
    "nothing-between.json": (json_lines(""), 0),
    "a-comma-between.jsonl": (json_lines(",\n"), 0),
    "carriage-returns.jsonl": (json_lines("\r"), 0),
    "mixed-line-ends.jsonl": (json_lines("\r") + b"\n", 0),
    "two-arrays.json": ((json.dumps(OBJECTS[:30]) + "\n" + json.dumps(OBJECTS[30:], indent=1)).encode(), 0),
}
"""Each with how many lines of it are no rows."""
COLUMNS = {"text": {str(n): text for n, (text, _) in enumerate(TABLE)}, "label": dict(enumerate("ab"))}
REFUSED: dict[str, tuple[bytes, str]] = {
    "by-columns.json": (
        json.dumps(COLUMNS).encode(),
        "one JSON object, with the fields label, text; expected an object",
    ),
    "split.json": (
        json.dumps({"columns": ["text", "label"], "data": TABLE}).encode(),
        "one JSON object, with the fields columns, data; expected an object a line",
    ),
    "rows-inside.json": (
        json.dumps({"rows": OBJECTS}, indent=2).encode(),
        "the fields rows; expected an object a line",
    ),
    "something-behind.json": (json.dumps(OBJECTS).encode() + b"\n<!-- 3 ms -->", "or is no JSON, in the value that"),
    "an-object-inside.jsonl": (
        b"".join(json.dumps({"review": one}).encode() + b"\n" for one in OBJECTS),
        "field text names column 'text', which no row has; found: 'review'",
    ),
    "tildes.csv": (delimited(delimiter="~"), "found: 'text~label'; it was read with delimiter ','"),
    "capitals.csv": (delimited(head=("Text", "Label")), "found: 'Label', 'Text'; it was read with delimiter ','"),
    "signed-out.csv": (b"<!DOCTYPE html><html><body>Sign in</body></html>", "an HTML page"),
    "packed.csv": (bz2.compress(delimited()), "compressed with bzip2"),
    "packed-well.csv": (lzma.compress(delimited()), "compressed with xz"),
}


def rows_of(path: Path) -> list[Row | str]:
    """Rows as curation takes them, and for each other record its reason."""
    source = Source(uri=path.as_uri())
    validity = Validity.of(CurateSpec(dataset="any", sources=(source,)), 0)
    read = [validity.row(one) if isinstance(one, Record) else one for one in read_records(path, source)]
    return [one if isinstance(one, Row) else one.reason for one in read]


def file_of(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", READ)
def test_every_row_comes_back_and_what_is_no_row_is_counted(tmp_path: Path, name: str) -> None:
    data, others = READ[name]
    found = rows_of(file_of(tmp_path, name, data))
    assert [(one.text, one.label) for one in found if isinstance(one, Row)] == TABLE
    assert len([one for one in found if not isinstance(one, Row)]) == others


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_of_rows_is_refused_with_what_was_found(tmp_path: Path, name: str) -> None:
    data, words = REFUSED[name]
    with pytest.raises(JobError) as caught:
        rows_of(file_of(tmp_path, name, data))
    assert words in caught.value.reason


def test_a_carriage_return_inside_a_text_divides_no_row(tmp_path: Path) -> None:
    rows = [("one\rtwo", "pos"), ("three, four\rfive", "neg"), ("six", "pos")]
    found = rows_of(file_of(tmp_path, "inside.csv", delimited(rows)))
    assert [one.text for one in found if isinstance(one, Row)] == [text for text, _ in rows]
    bare = b"text,label\nplain,pos\nother,neg\none\rtwo,pos\n"
    found = rows_of(file_of(tmp_path, "bare.csv", bare))
    assert [one.text for one in found if isinstance(one, Row)] == ["plain", "other", "one\rtwo"]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_header_is_read_with_the_quote_that_is_given(tmp_path: Path, quote: str) -> None:
    path = file_of(tmp_path, "given.csv", delimited(quotechar=quote, quoting=csv.QUOTE_ALL))
    source = Source(uri=path.as_uri(), quote=quote)
    assert [one.fields for one in read_records(path, source) if isinstance(one, Record)] == OBJECTS


def test_an_apostrophe_at_the_beginning_of_a_text_is_no_quote(tmp_path: Path) -> None:
    rows = [("'tis good", "pos"), ("'twas bad, or so", "neg"), ("the boys' film", "pos"), ("'a' and 'b'", "neg")]
    found = rows_of(file_of(tmp_path, "apostrophes.csv", delimited(rows)))
    assert [one.text for one in found if isinstance(one, Row)] == [text for text, _ in rows]


def test_one_damaged_line_does_not_end_the_reading_of_the_others(tmp_path: Path) -> None:
    for damaged in (b'{"text": "broken', b"not json", b'["an", "array"]', b"{}}"):
        lines = [json.dumps(one).encode() for one in OBJECTS]
        for place in (0, 30):
            data = b"\n".join([*lines[:place], damaged, *lines[place:]])
            found = rows_of(file_of(tmp_path, "damaged.jsonl", data))
            if place or not damaged.startswith(b"["):  # an array at the beginning is all there is to read
                assert sum(isinstance(one, Row) for one in found) == len(TABLE)


def test_rejects_are_written_as_they_are_found_and_none_is_held(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand bad rows: what is alive of them at the same time is bounded."""
    alive: Counter[str] = Counter()
    most = 0

    class Watched(Reject):
        def __init__(self, *given: Any) -> None:
            nonlocal most
            super().__init__(*given)
            alive["now"] += 1
            most = max(most, alive["now"])

        def __del__(self) -> None:
            alive["now"] -= 1

    monkeypatch.setattr("workers.curate.handler.Reject", Watched)
    monkeypatch.setattr("workers.curate.operators.validity.Reject", Watched)
    bad = b"".join(b"text %d\n" % n for n in range(10_000))
    result = curate(bench, Source(uri=bench.write("bad.csv", delimited() + bad)), splits=NO_SPLIT)
    assert result.rejected == {"missing_column": 10_000}
    assert [one["line"] for one in rejects_of(bench, result)] == list(range(62, 10_062))
    assert most < 10


def test_lines_that_are_no_rows_have_advice() -> None:
    assert "nothing to do" in ADVICE["not_a_row"]
