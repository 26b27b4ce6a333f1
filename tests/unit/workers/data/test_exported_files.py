"""More ways in which programs write a table of texts and labels: each is read whole, or refused in words."""

import bz2
import csv
import io
import json
import lzma
import pickle
import tarfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.data.operators import Labels, pipeline
from tests.support.builders.specs import source_at
from tests.support.curation import NO_SPLIT, UNDIVIDED, curate, rejects_of
from tests.support.workbench import Workbench
from workers.curate.advice import ADVICE
from workers.curate.formats.reading import read_records
from workers.curate.rows import Record, Reject
from workers.curate.shapes.recognise import recognise
from workers.data.rows import Row
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


def tar_of(data: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("rows.csv")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def json_lines(between: str, **how: Any) -> bytes:
    return between.join(json.dumps(one, **how) for one in OBJECTS).encode()


PLAIN = [(text.replace('"', "").replace(",", "").replace(";", ""), label) for text, label in TABLE]
"""What no program has to quote."""


def drawn(*lines: str, row: str = "| {} | {} |", behind: str = "") -> bytes:
    return "\n".join([*lines, *(row.format(*one) for one in PLAIN), behind]).encode()


def numbered(rows: Sequence[Sequence[str]], delimiter: str) -> bytes:
    """As R's `write.table` does: a name for each row, and none for their column."""
    head, *body = delimited(rows, quoting=csv.QUOTE_ALL, delimiter=delimiter).decode().splitlines()
    return "\n".join([head, *(f'"{n}"{delimiter}{line}' for n, line in enumerate(body, 1))]).encode()


MAC = [(f"{text},\nthen more", label) for text, label in TABLE]
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
    "two-marks.csv": (BOM + BOM + delimited(), 0),
    "numbered-rows.tsv": (numbered(TABLE, "\t"), 0),
    "numbered-rows.csv": (numbered(TABLE, ","), 0),
    "spaces-around-delimiters.csv": (quoted([("text", "label"), *TABLE], " ").replace(b'", "', b'" , "'), 0),
    "sequence.json": (b"".join(b"\x1e" + json.dumps(one).encode() + b"\n" for one in OBJECTS), 0),
    "huge-numbers.jsonl": (json_lines("\n").replace(b"}", b', "id": ' + b"9" * 5000 + b"}"), 0),
    "huge-numbers.json": (b"[" + json_lines(",").replace(b"}", b', "id": ' + b"9" * 5000 + b"}") + b"]", 0),
    "a-key-nobody-asks-for-twice.jsonl": (json_lines("\n").replace(b"}", b', "id": 1, "id": 2}'), 0),
    "a-key-twice-alike.jsonl": (json_lines("\n").replace(b'"label": "neg"', b'"label": "neg", "label": "neg"'), 0),
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
    "packed-twice.csv.gz": (b"\x1f\x8b\x08\0", "compressed with gzip; unpack it first"),
    "packed-in.csv": (tar_of(delimited()), "a tar archive"),
    "a-book.xlsx": (b"PK\x03\x04\x14\0", "an Excel workbook or another zip archive; save it as CSV first"),
    "arrow.feather": (b"ARROW1\0\0\xff\xff", "an Arrow (Feather) file; save it as Parquet first"),
    "kept.csv": (pickle.dumps(OBJECTS), "a pickle, which is never opened here"),
    "a-database.csv": (b"SQLite format 3\0" + bytes(100), "a SQLite database"),
    "a-page.xls": (b"<TABLE><tr><td>text</td></tr></TABLE>", "an HTML table"),
    "a-pointer.csv": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
    "one-line.csv": (b"text and label " + b"x" * 5000, "xxx…'; it was read with delimiter ',' and encoding utf-8: set"),
    "a-long-text.json": (json.dumps([{"text": "x " * (1 << 20), "label": "a"}] * 2).encode(), "more than 1048576 char"),
    "packed.csv": (bz2.compress(delimited()), "compressed with bzip2"),
    "packed-well.csv": (lzma.compress(delimited()), "compressed with xz"),
}


def rows_of(path: Path) -> list[Row | str]:
    """Rows as curation takes them, and for each other record its reason."""
    source = source_at(path.as_uri())
    reader = recognise(path, source, 0, "text_label")
    read = [reader.row_of(one) if isinstance(one, Record) else one for one in read_records(path, source)]
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


@pytest.mark.parametrize(
    ("data", "others"),
    [
        (drawn("| text | label |", "|---|:---:|"), 1),
        (drawn("text | label", "--- | ---", row="{} | {}"), 1),
        (drawn("+------+-----+", "| text | label |", "+------+-----+", behind="+------+-----+"), 3),
        (drawn(" text | label ", "------+-------", row=" {} | {}", behind="(60 rows)"), 2),
        (drawn("text\tlabel", "====\t=====", row="{}\t{}"), 1),
        (drawn("text||label", row="{}||{}"), 0),
        (drawn("text::label", row="{}::{}"), 0),
    ],
)
def test_a_line_that_rules_a_table_off_is_no_row(tmp_path: Path, data: bytes, others: int) -> None:
    path = file_of(tmp_path, "drawn.txt", data)
    source = source_at(path.as_uri(), delimiter=":" if b"::" in data else None)
    reader = recognise(path, source, 0, "text_label")
    read = [reader.row_of(one) if isinstance(one, Record) else one for one in read_records(path, source)]
    assert [(one.text, one.label) for one in read if isinstance(one, Row)] == PLAIN
    assert len([one for one in read if not isinstance(one, Row)]) == others


@pytest.mark.parametrize("within", ["\n", "\r\n"])
def test_lines_of_a_mac_may_have_other_ends_within_quotes(tmp_path: Path, within: str) -> None:
    rows = [(text.replace("\n", within), label) for text, label in MAC]
    found = rows_of(file_of(tmp_path, "mac.csv", delimited(rows, lineterminator="\r")))
    assert [(one.text, one.label) for one in found if isinstance(one, Row)] == MAC
    assert len(found) == len(MAC)


def test_texts_with_many_carriage_returns_do_not_make_a_file_a_macs(tmp_path: Path) -> None:
    rows = [(f"{text}\rand\rso\ron", label) for text, label in PLAIN]
    found = rows_of(file_of(tmp_path, "returns.csv", b"text,label\n" + delimited(rows, (), quoting=csv.QUOTE_ALL)))
    assert [one.text for one in found if isinstance(one, Row)] == [text for text, _ in rows]


def test_a_key_with_two_values_costs_its_own_row_and_is_named(bench: Workbench) -> None:
    lines = [json.dumps(one) for one in OBJECTS]
    lines[7] = '{"text": "which of them?", "label": "pos", "label": "neg"}'
    for data in ("\n".join(lines), "[" + ",".join(lines) + "]"):
        result = curate(bench, source_at(bench.write("twice.json", data.encode())), operators=UNDIVIDED)
        assert (result.rejected, result.rows["train"]) == ({"repeated_key": 1}, len(TABLE) - 1)


def test_rows_without_a_number_of_their_own_are_not_taken_for_numbered_ones(tmp_path: Path) -> None:
    """A comma without quotes in every text: one reading is as good as another, so none is guessed."""
    for first in ("well", "7"):
        data = b"text,label\n" + "".join(f"{first}, {text},{label}\n" for text, label in PLAIN).encode()
        assert set(rows_of(file_of(tmp_path, "commas.csv", data))) == {"malformed"}


def test_decimal_commas_of_a_semicolon_file_are_those_of_other_files(tmp_path: Path) -> None:
    def labels(rows: Sequence[tuple[str, str]], **how: Any) -> list[str]:
        found = rows_of(file_of(tmp_path, "decimals.csv", delimited(rows, **how)))
        return [one.label for one in found if isinstance(one, Row)]

    rows = [(text, ("1,0", "0,0", "2,5", "3")[n % 4]) for n, (text, _) in enumerate(TABLE)]
    assert labels(rows[:4], delimiter=";") == ["1", "0", "2.5", "3"]
    assert labels(rows[:4], delimiter=";", quoting=csv.QUOTE_ALL) == ["1", "0", "2.5", "3"]
    assert labels([*rows[:4], ("another", "none, really")], delimiter=";")[0] == "1,0"  # not a column of numbers
    assert labels(rows[:4]) == ["1,0", "0,0", "2,5", "3"]


def test_labels_that_may_mean_none_are_kept_and_told(bench: Workbench) -> None:
    rows = [*TABLE, ("one more text", "NA"), ("and another one", "NA"), ("a third", "None"), ("a fourth", "NaN")]
    source = source_at(bench.write("missing.csv", delimited(rows)))
    result = curate(bench, source, operators=UNDIVIDED)
    assert result.rejected == {"empty_label": 1}
    assert result.warnings == (
        "labels that may mean that there is none, with all their rows: NA 2, None 1; to leave these rows out, list the "
        "others in labels",
    )
    assert curate(bench, source, operators=pipeline(Labels(labels=("pos", "neg", "NA")), NO_SPLIT)).rejected == {
        "empty_label": 1,
        "unknown_label": 1,
    }


def test_a_file_without_rows_says_so(bench: Workbench) -> None:
    for data in (b"", b"text,label\n"):
        with pytest.raises(JobError, match="no row was read"):
            curate(bench, source_at(bench.write("nothing.csv", data)))


def test_rows_that_lack_a_column_of_the_header_are_told_as_such(bench: Workbench) -> None:
    """Each line in quotes as a whole, as some programs write a table that they have read wrongly."""
    lines = [f'"{line}"' for line in delimited(PLAIN, ()).decode().splitlines()]
    data = "text,label\n" + "\n".join(lines)
    with pytest.raises(JobError, match="missing_column 60"):
        curate(bench, source_at(bench.write("lines.csv", data.encode())))


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
    source = source_at(path.as_uri(), quote=quote)
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


def test_rejects_are_written_as_they_are_found_and_none_is_held(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    monkeypatch.setattr("workers.curate.shapes.shape.Reject", Watched)
    bad = b"".join(b"text %d\n" % n for n in range(10_000))
    result = curate(bench, source_at(bench.write("bad.csv", delimited() + bad)), operators=UNDIVIDED)
    assert result.rejected == {"missing_column": 10_000}
    assert [one["line"] for one in rejects_of(bench, result)] == list(range(62, 10_062))
    assert most < 10


def test_lines_that_are_no_rows_have_advice() -> None:
    assert "nothing to do" in ADVICE["not_a_row"]
