"""Every format's bad rows: each costs itself, has its reason, and its text is nowhere."""

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.data.operators import GroupBy, Labels, TextLength, WordCount, pipeline
from tests.support.builders.specs import source_at
from tests.support.curation import NO_SPLIT, UNDIVIDED, curate, rejects_of, rows, splits_of
from tests.support.workbench import Workbench
from workers.curate.formats import lines
from workers.curate.rows import digest_of
from workers.runtime.errors import JobError

SENTIMENT = Labels(labels=("negative", "positive"))


def test_every_bad_row_of_a_jsonl_file_has_its_reason(bench: Workbench) -> None:
    bad: list[tuple[bytes, str]] = [
        (b'{"text": "caf\xe9", "label": "positive"}', "undecodable"),
        (b"\x80\x81\x82", "undecodable"),
        (b'{"text": "broken', "malformed"),
        (b"[1, 2]", "malformed"),
        (b"42", "malformed"),
        (b"[" * 100_000, "malformed"),
        (b'{"text": "\\ud800 lone", "label": "positive"}', "undecodable"),
        (b'{"label": "positive"}', "missing_column"),
        (b'{"text": "no label"}', "missing_column"),
        (b'{"text": null, "label": "positive"}', "empty_text"),
        (b'{"text": "x y", "label": null}', "empty_label"),
        (b'{"text": "x y", "label": ""}', "empty_label"),
        (b'{"text": 5, "label": "positive"}', "not_text"),
        (b'{"text": "x y", "label": ["positive"]}', "not_a_label"),
        (b'{"text": "a \\u0000 b", "label": "positive"}', "nul_character"),
        (b'{"text": " \\n ", "label": "positive"}', "empty_text"),
        (b'{"text": "' + b"x" * 4000 + b'", "label": "positive"}', "too_long"),
        (b'{"text": "one", "label": "positive"}', "too_few_words"),
        (b'{"text": "' + b"w " * 30 + b'", "label": "positive"}', "too_many_words"),
        (b'{"text": "x y", "label": "\\udfff"}', "undecodable"),
        (b'{"text": "x y", "label": 1.5}', "unknown_label"),
        (b'{"text": "x y", "label": "' + b"x" * 201 + b'"}', "label_too_long"),
        (b'{"text": "x y", "label": "angry"}', "unknown_label"),
    ]
    good = [json.dumps(row).encode() for row in rows(4)]
    content = b"\xef\xbb\xbf" + b"\n".join([*good[:2], *(line for line, _ in bad), b"", *good[2:]])
    result = curate(
        bench,
        source_at(bench.write("r.jsonl", content)),
        operators=pipeline(TextLength(max_characters=3000), WordCount(min_words=2, max_words=20), SENTIMENT, NO_SPLIT),
    )
    assert result.rows["train"] == 4
    rejects = rejects_of(bench, result)
    assert [reject["reason"] for reject in rejects] == [reason for _, reason in bad]
    assert [reject["line"] for reject in rejects] == list(range(3, 3 + len(bad)))
    assert result.rejected == Counter(reason for _, reason in bad)
    assert all(set(reject) == {"source", "line", "operator", "reason", "text_digest"} for reject in rejects)
    assert rejects[-1]["text_digest"] == digest_of("x y")


def test_an_endless_line_is_one_reject(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.curate.formats.jsonl.MAX_LINE", 1000)
    monkeypatch.setattr(lines, "MAX_LINE", 1000)
    good = [json.dumps(row).encode() for row in rows(4)]
    content = b"\n".join([*good[:2], b"x" * 10_000, *good[2:]])
    result = curate(bench, source_at(bench.write("r.jsonl", content)), operators=UNDIVIDED)
    assert (result.rows["train"], result.rejected) == (4, {"too_long": 1})
    assert [reject["line"] for reject in rejects_of(bench, result)] == [3]


def test_csv_quotes_and_bad_rows(bench: Workbench) -> None:
    content = (
        b"label,text,extra\r\n"
        b'positive,"a ""quoted"", and\nbroken line",1\r\n'
        b"negative,plain,2\r\n"
        b"positive\r\n"
        b"negative,a,b,c,d\r\n"
        b"positive,caf\xe9,1\r\n"
    )
    result = curate(bench, source_at(bench.write("r.csv", content)), operators=UNDIVIDED)
    assert sorted(row["text"] for row in splits_of(bench, result)["train"]) == ['a "quoted", and\nbroken line', "plain"]
    assert result.rejected == {"malformed": 1, "missing_column": 1, "undecodable": 1}


def test_tsv_takes_quotes_as_characters_and_thresholds_make_labels(bench: Workbench) -> None:
    content = (
        'a_1\t-2.5\tan "unbalanced quote\na_2\t0.1\tneither\nb_1\t0.5\tfine\nc_1\tx\tno number\nnone\t1\tno group\n'
    )
    source = source_at(
        bench.write("r.txt", content),
        format="tsv",
        header=False,
        text="2",
        label="1",
        group="0",
    )
    by_score = Labels(labels=SENTIMENT.labels, thresholds=(-0.5, 0.5))
    result = curate(bench, source, operators=pipeline(by_score, GroupBy(pattern="^(.*)_"), NO_SPLIT))
    found = {row["text"]: (row["label"], row["group"]) for row in splits_of(bench, result)["train"]}
    assert found == {'an "unbalanced quote': ("negative", "a"), "fine": ("positive", "b")}
    assert result.rejected == {
        "group_pattern_mismatch": 1,
        "label_between_thresholds": 1,
        "label_not_a_number": 1,
    }


def test_parquet_rows_are_read(bench: Workbench) -> None:
    path = bench.files / "r.parquet"
    table = pa.table({"body": ["one good", None, "two bad"], "stars": [5, 3, 1], "unused": [b"x", b"y", b"z"]})
    pq.write_table(table, path)
    source = source_at(path.as_uri(), text="body", label="stars")
    by_stars = Labels(labels=SENTIMENT.labels, thresholds=(2, 4))
    result = curate(bench, source, operators=pipeline(by_stars, NO_SPLIT))
    assert (result.rows["train"], result.rejected) == (2, {"empty_text": 1})


def test_a_parquet_string_that_is_not_utf8_costs_its_own_row(bench: Workbench) -> None:
    path = bench.files / "r.parquet"
    bad = pa.Array.from_buffers(pa.string(), 1, pa.array([b"caf\xe9 x"], pa.binary()).buffers())
    table = pa.table(
        {
            "text": pa.chunked_array([bad, pa.array(["one good", "two bad"])]),
            "label": pa.array(["a", "a", "b"]).dictionary_encode(),
        }
    )
    pq.write_table(table, path)
    result = curate(bench, source_at(path.as_uri()), operators=UNDIVIDED)
    assert (result.rows["train"], result.rejected) == (2, {"undecodable": 1})


def test_a_quote_that_never_closes_costs_its_own_line_at_most(bench: Workbench) -> None:
    good = "".join(f"good row {index},{'ab'[index % 2]}\n" for index in range(1000))
    content = f'text,label\n"never closed, really,a\n{good}nul \0 here,a\n'
    result = curate(bench, source_at(bench.write("r.csv", content)), operators=UNDIVIDED)
    assert result.rejected == {"nul_character": 1, "stray_quote": 1}
    assert result.rows["train"] == 1000
    assert [reject["line"] for reject in rejects_of(bench, result)] == [2, 1003]


def test_a_column_of_free_text_is_no_label(bench: Workbench) -> None:
    free = [{"text": f"row {index}", "label": f"label {index}"} for index in range(101)]
    with pytest.raises(JobError, match="found 101 different labels; expected at most 100"):
        curate(bench, source_at(bench.jsonl("r.jsonl", free)), operators=UNDIVIDED)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_column_that_no_row_has_is_named_with_those_that_there_are(bench: Workbench, suffix: str) -> None:
    path = bench.files / f"r.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.table({"text": ["a"], "stars": ["b"]}), path)
    else:
        path.write_text('{"text": "a", "stars": "b"}\n' if suffix == "jsonl" else "text,stars\na,b\n")
    with pytest.raises(JobError, match="field label names column 'label', which no row has"):
        curate(bench, source_at(path.as_uri()))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.jsonl", b"", "no row was read: the sources are empty"),
        ("r.jsonl", b"broken\n", "no row was accepted; rejected: malformed 1"),
        ("r.jsonl", b'{"text": "a", "label": "x"}\n{"text": "b", "label": "x"}\n', "expected at least two labels"),
        ("r.pdf", b"x", "set its field format to one of jsonl, json, csv, tsv, parquet"),
        ("r.parquet", b"not parquet", "cannot be read as Parquet"),
        ("r.csv", b"text,label,text\na,b,c\n", "names column 'text' twice"),
    ],
)
def test_a_source_that_gives_nothing_is_refused(bench: Workbench, name: str, content: bytes, message: str) -> None:
    with pytest.raises(JobError, match=message):
        curate(bench, source_at(bench.write(name, content)))


def test_a_missing_file_and_a_folder_are_refused(bench: Workbench) -> None:
    with pytest.raises(JobError, match="no such file"):
        curate(bench, source_at(f"file://{bench.root}/files/none.csv"))
    with pytest.raises(JobError, match="expected one file"):
        curate(bench, source_at(f"file://{bench.root}/files", format="csv"))


def test_the_text_of_a_rejected_row_is_nowhere(bench: Workbench, tmp_path: Path) -> None:
    secret = "a very private complaint"
    planted = [{"text": secret, "label": "positive"}, {"text": secret, "label": "negative"}, *rows(4)]
    result = curate(bench, source_at(bench.jsonl("r.jsonl", planted)), operators=UNDIVIDED)
    assert result.rejects is not None
    assert secret.encode() not in bench.artifacts.read(result.rejects)
    assert secret.encode() not in bench.artifacts.read(result.manifest)
    assert secret not in repr(bench.reports)
    assert {reject["text_digest"] for reject in rejects_of(bench, result)} == {digest_of(secret)}
