"""Curation: a row ends in one split or in the rejects with its reason; nothing leaks; the digest is stable."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.artifacts import DatasetManifest, DatasetRef
from schemas.jobs import CurateResult, CurateSpec, Source, Splits
from workers.curate.formats import lines
from workers.curate.handler import handle
from workers.curate.operators import validity
from workers.curate.rows import digest_of
from workers.runtime.errors import JobError

NO_SPLIT = Splits(validation=0, test=0)


def rows(count: int, start: int = 0) -> list[dict[str, object]]:
    return [
        {
            "text": f"this is review number {index}",
            "label": "positive" if index % 2 else "negative",
            "id": f"{index // 3}_{index}",
        }
        for index in range(start, start + count)
    ]


def curate(bench: Any, *sources: Source, **fields: Any) -> CurateResult:
    return handle(CurateSpec(dataset="reviews", sources=sources, **fields), bench.context)


def manifest_of(bench: Any, result: CurateResult) -> DatasetManifest:
    return DatasetManifest.model_validate_json(bench.store.read(result.manifest))


def splits_of(bench: Any, result: CurateResult) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {"train": [], "validation": [], "test": []}
    for part in manifest_of(bench, result).parts:
        part_rows = pq.read_table(bench.store.fetch(part.artifact)).to_pylist()
        assert part.rows == len(part_rows)
        found[part.split].extend(part_rows)
    assert {split: len(found[split]) for split in found} == result.rows
    return found


def rejects_of(bench: Any, result: CurateResult) -> list[dict[str, Any]]:
    if result.rejects is None:
        return []
    return [json.loads(line) for line in bench.store.read(result.rejects).splitlines()]


def ref_of(result: CurateResult) -> DatasetRef:
    return DatasetRef(id=uuid4(), dataset=result.dataset, version=1, digest=result.digest, manifest=result.manifest)


def test_each_row_lands_in_one_split(bench: Any) -> None:
    result = curate(bench, Source(uri=bench.jsonl("r.jsonl", rows(100))), splits=Splits(validation=0.1, test=20))
    found = splits_of(bench, result)
    assert result.rows == {"train": 70, "validation": 10, "test": 20}
    texts = [row["text"] for split in found.values() for row in split]
    assert sorted(texts) == sorted(str(row["text"]) for row in rows(100))
    assert result.rejected == {}
    assert result.rejects is None
    manifest = manifest_of(bench, result)
    assert manifest.columns == {"text": "string", "label": "string", "group": "string"}
    assert manifest.labels == ("negative", "positive")
    assert manifest.digest == result.digest


def test_planted_duplicates_leave_one_row(bench: Any) -> None:
    planted = [
        {"text": "A fine film.", "label": "positive"},
        {"text": "A fine film.", "label": "positive"},
        {"text": "  a   FINE\tfilm!!! ", "label": "positive"},
        {"text": "\uff21 \ufb01ne film…", "label": "positive"},
        {"text": "a fi\u200bne film", "label": "positive"},
        {"text": "a fine film :(", "label": "negative"},
        {"text": "a fine film :)", "label": "positive"},
        {"text": "dull", "label": "negative"},
    ]
    result = curate(bench, Source(uri=bench.jsonl("r.jsonl", planted)), splits=NO_SPLIT)
    assert result.rejected == {"duplicate": 4}
    assert result.rows["train"] == 4


def test_texts_of_punctuation_alone_are_told_apart(bench: Any) -> None:
    planted = [{"text": "!!!", "label": "positive"}, {"text": "?", "label": "negative"}]
    assert curate(bench, Source(uri=bench.jsonl("r.jsonl", planted)), splits=NO_SPLIT).rows["train"] == 2


def test_all_rows_of_a_text_whose_labels_disagree_are_rejected(bench: Any) -> None:
    planted = [
        {"text": "so so", "label": "positive"},
        {"text": "So so.", "label": "negative"},
        {"text": "so so", "label": "positive"},
        *rows(4),
    ]
    result = curate(bench, Source(uri=bench.jsonl("r.jsonl", planted)), splits=NO_SPLIT)
    assert result.rejected == {"conflicting_label": 3}
    assert "so so" not in [row["text"] for row in splits_of(bench, result)["train"]]


def test_two_sources_that_disagree_on_a_text_both_lose_it(bench: Any) -> None:
    first = bench.jsonl("a.jsonl", [{"text": "so so", "label": "positive"}, *rows(4)])
    second = bench.jsonl("b.jsonl", [{"text": "so so", "label": "negative"}, *rows(4)])
    result = curate(bench, Source(uri=first), Source(uri=second), splits=NO_SPLIT)
    assert result.rejected == {"conflicting_label": 2, "duplicate": 4}
    assert {reject["source"] for reject in rejects_of(bench, result) if reject["reason"] == "conflicting_label"} == {
        0,
        1,
    }


def test_every_bad_row_of_a_jsonl_file_has_its_reason(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validity, "MAX_CHARACTERS", 3000)
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
        (b'{"text": null, "label": "positive"}', "null"),
        (b'{"text": "x y", "label": null}', "null"),
        (b'{"text": "x y", "label": ""}', "null"),
        (b'{"text": 5, "label": "positive"}', "not_text"),
        (b'{"text": "x y", "label": ["positive"]}', "not_text"),
        (b'{"text": "a \\u0000 b", "label": "positive"}', "nul_character"),
        (b'{"text": " \\n ", "label": "positive"}', "empty_text"),
        (b'{"text": "' + b"x" * 4000 + b'", "label": "positive"}', "too_long"),
        (b'{"text": "one", "label": "positive"}', "too_few_words"),
        (b'{"text": "' + b"w " * 30 + b'", "label": "positive"}', "too_many_words"),
        (b'{"text": "x y", "label": "\\udfff"}', "undecodable"),
        (b'{"text": "x y", "label": 1.5}', "not_text"),
        (b'{"text": "x y", "label": "angry"}', "unknown_label"),
    ]
    good = [json.dumps(row).encode() for row in rows(4)]
    content = b"\xef\xbb\xbf" + b"\n".join([*good[:2], *(line for line, _ in bad), b"", *good[2:]])
    result = curate(
        bench,
        Source(uri=bench.write("r.jsonl", content)),
        labels=("negative", "positive"),
        min_words=2,
        max_words=20,
        splits=NO_SPLIT,
    )
    assert result.rows["train"] == 4
    rejects = rejects_of(bench, result)
    assert [reject["reason"] for reject in rejects] == [reason for _, reason in bad]
    assert [reject["line"] for reject in rejects] == list(range(3, 3 + len(bad)))
    assert result.rejected == Counter(reason for _, reason in bad)
    assert all(set(reject) == {"source", "line", "reason", "text_digest"} for reject in rejects)
    assert rejects[-1]["text_digest"] == digest_of("x y")


def test_an_endless_line_is_one_reject(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.curate.formats.jsonl.MAX_LINE", 1000)
    monkeypatch.setattr(lines, "MAX_LINE", 1000)
    good = [json.dumps(row).encode() for row in rows(4)]
    content = b"\n".join([*good[:2], b"x" * 10_000, *good[2:]])
    result = curate(bench, Source(uri=bench.write("r.jsonl", content)), splits=NO_SPLIT)
    assert (result.rows["train"], result.rejected) == (4, {"too_long": 1})
    assert [reject["line"] for reject in rejects_of(bench, result)] == [3]


def test_csv_quotes_and_bad_rows(bench: Any) -> None:
    content = (
        b"label,text,extra\r\n"
        b'positive,"a ""quoted"", and\nbroken line",1\r\n'
        b"negative,plain,2\r\n"
        b"positive\r\n"
        b"negative,a,b,c,d\r\n"
        b"positive,caf\xe9,1\r\n"
    )
    result = curate(bench, Source(uri=bench.write("r.csv", content)), splits=NO_SPLIT)
    assert sorted(row["text"] for row in splits_of(bench, result)["train"]) == ['a "quoted", and\nbroken line', "plain"]
    assert result.rejected == {"malformed": 1, "missing_column": 1, "undecodable": 1}


def test_tsv_takes_quotes_as_characters_and_thresholds_make_labels(bench: Any) -> None:
    content = (
        'a_1\t-2.5\tan "unbalanced quote\na_2\t0.1\tneither\nb_1\t0.5\tfine\nc_1\tx\tno number\nnone\t1\tno group\n'
    )
    source = Source(
        uri=bench.write("r.txt", content),
        format="tsv",
        header=False,
        text="2",
        label="1",
        group="0",
        group_pattern="^(.*)_",
        label_thresholds=(-0.5, 0.5),
    )
    result = curate(bench, source, labels=("negative", "positive"), splits=NO_SPLIT)
    found = {row["text"]: (row["label"], row["group"]) for row in splits_of(bench, result)["train"]}
    assert found == {'an "unbalanced quote': ("negative", "a"), "fine": ("positive", "b")}
    assert result.rejected == {
        "group_pattern_mismatch": 1,
        "label_between_thresholds": 1,
        "label_not_a_number": 1,
    }


def test_parquet_rows_are_read(bench: Any) -> None:
    path = bench.root / "files" / "r.parquet"
    table = pa.table({"body": ["one good", None, "two bad"], "stars": [5, 3, 1], "unused": [b"x", b"y", b"z"]})
    pq.write_table(table, path)
    source = Source(uri=path.as_uri(), text="body", label="stars", label_thresholds=(2, 4))
    result = curate(bench, source, labels=("negative", "positive"), splits=NO_SPLIT)
    assert (result.rows["train"], result.rejected) == (2, {"null": 1})


def test_a_parquet_string_that_is_not_utf8_costs_its_own_row(bench: Any) -> None:
    path = bench.root / "files" / "r.parquet"
    bad = pa.Array.from_buffers(pa.string(), 1, pa.array([b"caf\xe9 x"], pa.binary()).buffers())
    table = pa.table(
        {
            "text": pa.chunked_array([bad, pa.array(["one good", "two bad"])]),
            "label": pa.array(["a", "a", "b"]).dictionary_encode(),
        }
    )
    pq.write_table(table, path)
    result = curate(bench, Source(uri=path.as_uri()), splits=NO_SPLIT)
    assert (result.rows["train"], result.rejected) == (2, {"undecodable": 1})


def test_an_unclosed_quote_costs_what_it_swallows_and_no_more(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.curate.formats.delimited.MAX_LINE", 2000)
    good = "".join(f"good row {index},{'ab'[index % 2]}\n" for index in range(1000))
    content = f'text,label\n"never closed,a\n{good}nul \0 here,a\n'
    result = curate(bench, Source(uri=bench.write("r.csv", content)), splits=NO_SPLIT)
    assert result.rejected == {"nul_character": 1, "too_long": 1}
    assert result.rows["train"] > 800


def test_a_column_of_free_text_is_no_label(bench: Any) -> None:
    free = [{"text": f"row {index}", "label": f"label {index}"} for index in range(101)]
    with pytest.raises(JobError, match="found 101 different labels; expected at most 100"):
        curate(bench, Source(uri=bench.jsonl("r.jsonl", free)), splits=NO_SPLIT)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_column_that_no_row_has_is_named_with_those_that_there_are(bench: Any, suffix: str) -> None:
    path = bench.root / "files" / f"r.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.table({"text": ["a"], "stars": ["b"]}), path)
    else:
        path.write_text('{"text": "a", "stars": "b"}\n' if suffix == "jsonl" else "text,stars\na,b\n")
    with pytest.raises(JobError, match="field label names column 'label', which no row has"):
        curate(bench, Source(uri=path.as_uri()))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.jsonl", b"", "no row was accepted; rejected: none; 0 rows were drawn"),
        ("r.jsonl", b"broken\n", "no row was accepted; rejected: malformed 1"),
        ("r.jsonl", b'{"text": "a", "label": "x"}\n{"text": "b", "label": "x"}\n', "expected at least two labels"),
        ("r.pdf", b"x", "set its field format to one of jsonl, csv, tsv, parquet"),
        ("r.parquet", b"not parquet", "cannot be read as Parquet"),
        ("r.csv", b"text,label,text\na,b,c\n", "names column 'text' twice"),
    ],
)
def test_a_source_that_gives_nothing_is_refused(bench: Any, name: str, content: bytes, message: str) -> None:
    with pytest.raises(JobError, match=message):
        curate(bench, Source(uri=bench.write(name, content)))


def test_a_missing_file_and_a_folder_are_refused(bench: Any) -> None:
    with pytest.raises(JobError, match="no such file"):
        curate(bench, Source(uri=f"file://{bench.root}/files/none.csv"))
    with pytest.raises(JobError, match="expected one file"):
        curate(bench, Source(uri=f"file://{bench.root}/files", format="csv"))


@pytest.mark.parametrize(
    ("fields", "spec", "message"),
    [
        ({"group": "id", "group_pattern": "("}, {}, "is not a regular expression"),
        ({"group": "id", "group_pattern": "^x"}, {}, "captures nothing"),
        ({"group_pattern": "^(x)"}, {}, "needs the field group"),
        ({"label_thresholds": (0.0, 1.0)}, {}, "two labels; labels has 0"),
        ({"label_thresholds": (1.0, 0.0)}, {"labels": ("a", "b")}, "low <= high"),
        ({}, {"labels": ("a", "a")}, "named twice"),
        ({}, {"splits": Splits(validation=0, test=0.01)}, "leaves none"),
        ({}, {"splits": Splits(validation=0, test=20)}, "no row left to train on"),
    ],
)
def test_a_spec_that_cannot_be_met_is_refused(
    bench: Any, fields: dict[str, Any], spec: dict[str, Any], message: str
) -> None:
    with pytest.raises(JobError, match=message):
        curate(bench, Source(uri=bench.jsonl("r.jsonl", rows(20)), **fields), **spec)


def test_the_same_rows_in_another_order_and_format_make_the_same_digest(bench: Any) -> None:
    planted = [
        *rows(60),
        {"text": "Twice.", "label": "positive", "id": "z_1"},
        {"text": "twice", "label": "positive", "id": "y_1"},
    ]
    path = bench.root / "files" / "r.parquet"
    spec = CurateSpec(
        dataset="reviews",
        sources=(Source(uri=path.as_uri(), group="id", group_pattern="^(.*)_", limit=40),),
        splits=Splits(validation=0.1, test=0.2, balanced=True),
    )
    digests = set()
    for seed in range(3):
        random.Random(seed).shuffle(planted)
        pq.write_table(pa.Table.from_pylist(planted), path, row_group_size=7 + seed)
        result = handle(spec, bench.context)
        digests.add((result.digest, result.manifest.digest))
    assert len(digests) == 1
    assert handle(spec.model_copy(update={"seed": 1}), bench.context).digest not in {digest for digest, _ in digests}
    pq.write_table(pa.Table.from_pylist([{**row, "text": f"{row['text']}x"} for row in planted]), path)
    assert handle(spec, bench.context).digest not in {digest for digest, _ in digests}


def test_a_group_never_lies_in_two_splits(bench: Any) -> None:
    source = Source(uri=bench.jsonl("r.jsonl", rows(300)), group="id", group_pattern="^(.*)_")
    result = curate(bench, source, splits=Splits(validation=0.2, test=0.3))
    found = splits_of(bench, result)
    groups = {split: {row["group"] for row in found[split]} for split in found}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["validation"]
    assert not groups["validation"] & groups["test"]
    assert result.rows == {"train": 150, "validation": 60, "test": 90}


def test_two_batches_of_one_source_do_not_overlap_and_the_parents_splits_stay(bench: Any) -> None:
    uri = bench.jsonl("r.jsonl", rows(200))
    first = curate(bench, Source(uri=uri, limit=80), splits=Splits(validation=10, test=20, balanced=True))
    second = curate(bench, Source(uri=uri, offset=80), parent=ref_of(first))
    before, after = splits_of(bench, first), splits_of(bench, second)
    assert after["validation"] == before["validation"]
    assert after["test"] == before["test"]
    assert after["train"][: len(before["train"])] == before["train"]
    assert second.rows == {"train": 170, "validation": 10, "test": 20}
    assert second.rejected == {}
    assert manifest_of(bench, second).parts[: len(manifest_of(bench, first).parts)] == manifest_of(bench, first).parts


def test_new_rows_that_the_parent_has_are_rejected_whatever_their_split(bench: Any) -> None:
    first = curate(bench, Source(uri=bench.jsonl("a.jsonl", rows(40))), splits=Splits(validation=10, test=10))
    again = [{**row, "text": f"{str(row['text']).upper()}!"} for row in rows(40)]
    again[3]["label"] = "positive" if again[3]["label"] == "negative" else "negative"
    second = curate(bench, Source(uri=bench.jsonl("b.jsonl", [*again, *rows(6, start=40)])), parent=ref_of(first))
    assert second.rejected == {"conflicting_label": 1, "duplicate": 39}
    assert second.rows == {"train": 26, "validation": 10, "test": 10}
    with pytest.raises(JobError, match="no row was accepted; rejected: conflicting_label 1, duplicate 39"):
        curate(bench, Source(uri=bench.jsonl("c.jsonl", again)), parent=ref_of(first))


def test_new_rows_of_a_held_out_group_never_train(bench: Any) -> None:
    fields: dict[str, Any] = {"group": "id", "group_pattern": "^(.*)_"}
    first = curate(bench, Source(uri=bench.jsonl("a.jsonl", rows(60)), **fields), splits=Splits(validation=6, test=12))
    more = [{**row, "text": f"more of {row['text']}"} for row in rows(60)]
    second = curate(bench, Source(uri=bench.jsonl("b.jsonl", more), **fields), parent=ref_of(first))
    assert second.rejected == {"group_is_held_out": 18}
    found = splits_of(bench, second)
    assert not {row["group"] for row in found["train"]} & {
        row["group"] for row in [*found["test"], *found["validation"]]
    }


def test_a_parent_without_test_rows_gets_them_from_new_rows_only(bench: Any) -> None:
    first = curate(bench, Source(uri=bench.jsonl("a.jsonl", rows(20))), splits=NO_SPLIT)
    second = curate(
        bench,
        Source(uri=bench.jsonl("b.jsonl", rows(20, start=20))),
        parent=ref_of(first),
        splits=Splits(validation=0, test=0.5),
    )
    old = {row["text"] for row in rows(20)}
    assert second.rows == {"train": 30, "validation": 0, "test": 10}
    assert not old & {row["text"] for row in splits_of(bench, second)["test"]}


def test_the_parents_labels_keep_their_order(bench: Any) -> None:
    first = curate(
        bench, Source(uri=bench.jsonl("a.jsonl", rows(10))), labels=("positive", "negative"), splits=NO_SPLIT
    )
    second = curate(bench, Source(uri=bench.jsonl("b.jsonl", rows(10, 10))), parent=ref_of(first), splits=NO_SPLIT)
    assert manifest_of(bench, second).labels == ("positive", "negative")


def test_a_balanced_split_of_a_rare_label_leaves_it_rows_to_train_on(bench: Any) -> None:
    skewed = [{"text": f"row {index}", "label": "rare" if index < 20 else "common"} for index in range(400)]
    result = curate(
        bench, Source(uri=bench.jsonl("r.jsonl", skewed)), splits=Splits(validation=0.2, test=0.2, balanced=True)
    )
    found = splits_of(bench, result)
    for split in ("validation", "test"):
        assert Counter(row["label"] for row in found[split]) == {"rare": 4, "common": 4}
    assert Counter(row["label"] for row in found["train"]) == {"rare": 12, "common": 372}


def test_the_text_of_a_rejected_row_is_nowhere(bench: Any, tmp_path: Path) -> None:
    secret = "a very private complaint"
    planted = [{"text": secret, "label": "positive"}, {"text": secret, "label": "negative"}, *rows(4)]
    result = curate(bench, Source(uri=bench.jsonl("r.jsonl", planted)), splits=NO_SPLIT)
    assert result.rejects is not None
    assert secret.encode() not in bench.store.read(result.rejects)
    assert secret.encode() not in bench.store.read(result.manifest)
    assert secret not in repr(bench.reports)
    assert {reject["text_digest"] for reject in rejects_of(bench, result)} == {digest_of(secret)}
