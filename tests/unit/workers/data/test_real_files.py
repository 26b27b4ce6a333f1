"""Files as people have them: read rightly, or refused in words that name what to set; never a row inside another's."""

import csv
import io
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.data.operators import Truncate, WordCount, pipeline
from schemas.jobs.curate import Source
from tests.support.builders.specs import source_at
from tests.support.curation import NO_SPLIT, UNDIVIDED, curate, manifest_of, rejects_of, splits_of
from tests.support.workbench import Workbench
from workers.curate.advice import ADVICE, OF_READING
from workers.curate.formats.reading import read_records
from workers.curate.rows import Reason, Record, Unreadable
from workers.runtime.errors import JobError

FILES = Path(__file__).parents[3] / "support" / "real_files"
WHOLE = {
    "01_excel.csv": {}, "02_semicolon.csv": {}, "04_dup_unneeded.csv": {}, "07_stray_quote.csv": {},
    "07_never_closed.csv": {}, "08_pandas.tsv": {}, "09_unicode_text.txt": {}, "09_utf16.csv": {}, "12_array.json": {},
    "12_array.jsonl": {}, "16_binary_text.parquet": {}, "06_join_unneeded.parquet": {}, "20_classlabel.parquet": {},
    "21_dictionary.parquet": {}, "21_view.parquet": {}, "23_mac.csv": {}, "24_sep.csv": {},
    "21_dotted.parquet": {"text": "review.text"},
}  # fmt: skip
REASONS = {
    "undecodable", "malformed", "stray_quote", "repeated_key", "not_a_row", "missing_column", "not_text",
    "nul_character", "empty_text", "empty_label", "empty_group", "too_long", "too_few_words", "too_many_words",
    "label_not_a_number", "label_between_thresholds", "not_a_label", "label_too_long", "unknown_label",
    "completion_not_a_number", "completion_between_bands",
    "group_pattern_mismatch", "duplicate", "conflicting_label", "group_is_held_out", "unbalanced_remainder",
    "empty_prompt",
    "empty_completion",
    "not_messages",
    "empty_message",
    "unknown_role",
    "no_assistant_turn_last",
}  # fmt: skip


def source_of(name: str, **fields: Any) -> Source:
    return source_at((FILES / name).as_uri(), **fields)


def read(path: Path, **fields: Any) -> list[Record | Unreadable]:
    return list(read_records(path, source_at(path.as_uri(), **fields)))


def reason_for(path: Path, **fields: Any) -> str:
    try:
        return f"read: {len(read(path, **fields))}"
    except JobError as error:
        return error.reason


def labels_of(records: list[Record | Unreadable]) -> Counter[object]:
    return Counter(one.fields["label"] if isinstance(one, Record) else one.reason for one in records)


@pytest.mark.parametrize("name", WHOLE)
def test_every_row_of_a_real_file_is_read_with_its_label(name: str) -> None:
    records = read(FILES / name, **WHOLE[name])
    assert labels_of(records) == {"neg": 111, "pos": 89}
    column = WHOLE[name].get("text", "text")
    assert max(len(str(one.fields[column])) for one in records if isinstance(one, Record)) < 80


def imported(bench: Workbench, name: str, **fields: Any) -> Any:
    uri = bench.write(name, (FILES / name).read_bytes())
    return curate(bench, source_at(uri, **fields), operators=UNDIVIDED)


@pytest.mark.parametrize(("stem", "labels"), [("05_float_label", ("0", "1")), ("17_bool", ("false", "true"))])
def test_one_table_has_the_same_labels_and_digest_in_every_format(bench: Workbench, stem: str, labels: Any) -> None:
    results = [imported(bench, f"{stem}.{form}") for form in ("csv", "jsonl", "parquet")]
    assert {manifest_of(bench, result).labels for result in results} == {labels}
    assert len({result.digest for result in results}) == 1


def test_labels_that_differ_in_unicode_form_are_one(bench: Workbench) -> None:
    assert manifest_of(bench, imported(bench, "10_nfc_nfd.csv")).labels == ("merci", "r\u00e9clamation")


def test_mixed_json_types_are_one_label_or_a_reason(bench: Workbench) -> None:
    result = imported(bench, "18_mixed.jsonl")
    assert set(manifest_of(bench, result).labels) == {"0", "1", "false", "true"}
    assert set(result.rejected) == {"not_a_label"}


def test_texts_that_differ_by_a_sign_only_are_kept_apart_and_lie_in_one_split(bench: Workbench) -> None:
    uri = bench.write("signs.csv", (FILES / "11_signs.csv").read_bytes())
    result = curate(bench, source_at(uri))
    assert (sum(result.rows.values()), result.rejected) == (90, {})
    where: dict[str, set[str]] = {}
    for split, rows in splits_of(bench, result).items():
        for row in rows:
            if "C++" not in row["text"]:
                where.setdefault(row["text"].replace("#", ""), set()).add(split)
    assert all(len(found) == 1 for found in where.values())


def test_rare_labels_stay_in_train_and_are_listed_in_one_line(bench: Workbench) -> None:
    result = curate(bench, source_at(bench.write("tail.csv", (FILES / "13_long_tail.csv").read_bytes())))
    assert len({row["label"] for row in splits_of(bench, result)["train"]}) == 22
    (line,) = [warning for warning in result.warnings if "without a row in test" in warning]
    assert "topic-0 1" in line
    assert "topic-3 1" in line


def test_a_trailing_header_is_read_and_another_encoding_is_named(bench: Workbench) -> None:
    result = imported(bench, "03_trailing.csv", text="v2", label="v1")
    assert result.rejected == {"undecodable": 23}
    assert "23 of 200 rows were rejected, 23 of them as undecodable" in result.warnings[0]
    assert "set encoding, such as windows-1252" in result.warnings[0]
    again = imported(bench, "03_trailing.csv", text="v2", label="v1", encoding="windows-1252")
    assert (again.rejected, again.rows["train"]) == ({}, 200)


def test_only_a_named_column_given_twice_is_refused() -> None:
    with pytest.raises(JobError, match="it has column 'text' twice, which field text asks for"):
        read(FILES / "06_join_needed.parquet")


@pytest.mark.parametrize(
    ("name", "column"),
    [("list", pa.array([["a"], ["b"]])), ("timestamp[us]", pa.array([0, 1], pa.timestamp("us")))],
)
def test_a_label_column_of_another_kind_is_named_with_its_arrow_type(tmp_path: Path, name: str, column: Any) -> None:
    pq.write_table(pa.table({"text": ["a", "b"], "label": column}), tmp_path / "x.parquet")
    with pytest.raises(JobError, match="field label names column 'label', whose Arrow type is") as caught:
        read(tmp_path / "x.parquet")
    assert name in caught.value.reason


def test_a_header_that_cannot_be_right_is_shown_with_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("body:kind\na:b\n")
    with pytest.raises(JobError, match="found: 'body:kind'; it was read with delimiter ',' and encoding utf-8: set"):
        read(tmp_path / "x.csv")
    (one,) = read(tmp_path / "x.csv", delimiter=":", text="body", label="kind")
    assert isinstance(one, Record)


@pytest.mark.parametrize(
    ("magic", "words"), [(b"PK\x03\x04", "Excel"), (b"\x1f\x8b\x08", "gzip"), (b"PAR1", "Parquet")]
)
def test_what_is_no_text_is_named(tmp_path: Path, magic: bytes, words: str) -> None:
    (tmp_path / "x.csv").write_bytes(magic + bytes(100))
    with pytest.raises(JobError, match=words):
        read(tmp_path / "x.csv")


ROWS = [
    (f"{'ab'[index % 2]} row {index}{extra}", ("neg", "pos")[index % 3 == 0])
    for index, extra in enumerate(
        ["", ", really", ' said "no"', "; then", "\nsecond line", "\ta tab", " \\ slash"] * 12
    )
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_whatever_wrote_a_delimited_file_its_rows_come_back(
    tmp_path: Path, encoding: str, delimiter: str, quoting: Any, end: str
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([("text", "label"), *ROWS])
    path = tmp_path / ("x.tsv" if delimiter == "\t" else "x.csv")
    path.write_bytes(out.getvalue().encode(encoding))
    found = [(one.fields["text"], one.fields["label"]) for one in read(path) if isinstance(one, Record)]
    assert found == ROWS


def test_backslashes_before_quotes_are_understood(tmp_path: Path) -> None:
    out = io.StringIO()
    csv.writer(out, doublequote=False, escapechar="\\", quoting=csv.QUOTE_ALL).writerows(
        [("text", "label"), *[(text, label) for text, label in ROWS if "slash" not in text]]
    )
    (tmp_path / "x.csv").write_text(out.getvalue())
    assert [one.fields["text"] for one in read(tmp_path / "x.csv") if isinstance(one, Record)] == [
        text for text, _ in ROWS if "slash" not in text
    ]


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_stray_quote_anywhere_never_puts_a_row_into_another(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    lines = [f"a row number {index},{'neg' if index % 2 else 'pos'}" for index in range(60)]
    for place in dice.sample(range(60), dice.randint(1, 4)):
        at = dice.choice([0, dice.randint(0, len(lines[place]))])
        lines[place] = lines[place][:at] + '"' + lines[place][at:]
    (tmp_path / "x.csv").write_text("\n".join(["text,label", *lines, ""]))
    records = read(tmp_path / "x.csv")
    assert len(records) == 60
    assert not any("\n" in str(value) for one in records if isinstance(one, Record) for value in one.fields.values())


@given(st.sampled_from([*WHOLE, "18_mixed.jsonl", "17_bool.parquet"]), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mangled_file_is_read_or_refused_in_our_own_words(tmp_path: Path, name: str, seed: int) -> None:
    dice = random.Random(seed)
    data = bytearray((FILES / name).read_bytes())
    for _ in range(dice.randint(1, 30)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    path = tmp_path / name
    path.write_bytes(data[: dice.randint(1, len(data))] if dice.random() < 0.3 else bytes(data))
    assert reason_for(path, **WHOLE.get(name, {})).startswith(("read", "source file:///"))


@given(st.binary(max_size=300), st.sampled_from(["csv", "tsv", "jsonl", "json", "parquet"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_are_read_or_refused_in_our_own_words(tmp_path: Path, data: bytes, form: str) -> None:
    (tmp_path / "x").write_bytes(data)
    assert reason_for(tmp_path / "x", format=form).startswith(("read", "source file:///"))


def test_long_texts_are_kept_cut_or_rejected_as_asked(bench: Workbench) -> None:
    rows = [{"text": f"{word} " * 40 + str(index), "label": word} for index, word in enumerate("abab")]
    uri = bench.jsonl("long.jsonl", rows)
    kept = curate(bench, source_at(uri), operators=UNDIVIDED)
    assert (kept.rows["train"], kept.truncated) == (4, 0)
    short = [{**row, "text": f"{index} {row['text']}"} for index, row in enumerate(rows)]
    cut = curate(bench, source_at(bench.jsonl("s.jsonl", short)), operators=pipeline(Truncate(max_words=3), NO_SPLIT))
    assert (cut.rows["train"], cut.truncated) == (4, 4)
    assert {len(row["text"].split()) for row in splits_of(bench, cut)["train"]} == {3}
    with pytest.raises(JobError, match="4 of 4 rows were rejected, 4 of them as too_many_words: raise max_words"):
        curate(bench, source_at(uri), operators=pipeline(WordCount(max_words=3), NO_SPLIT))


def test_the_same_rows_by_another_path_and_delimiter_are_the_same_dataset(bench: Workbench) -> None:
    comma = "".join(f"row {index},{'ab'[index % 2]}\n" for index in range(40))
    first = curate(bench, source_at(bench.write("a.csv", "text,label\n" + comma)))
    other = bench.write("deep/b.txt", ("body;kind\n" + comma.replace(",", ";")).encode("utf-16"))
    second = curate(bench, source_at(other, text="body", label="kind", delimiter=";", encoding="utf-16"))
    assert first.digest == second.digest
    assert curate(bench, source_at(other, text="body", label="kind"), seed=1).digest != first.digest


def test_the_digest_of_a_dataset_is_golden(bench: Workbench) -> None:
    lines = [json.dumps({"text": f"row {index}", "label": "ab"[index % 2]}) for index in range(20)]
    result = curate(bench, source_at(bench.write("g.jsonl", "\n".join(lines))))
    assert result.digest == "sha256:2cd3201e95217976fe85e17868d5f8db3a2625b8552512719eef32abdcc2b264"


def test_every_reason_has_advice() -> None:
    assert set(OF_READING) == set(Reason.__args__)  # type: ignore[attr-defined]
    assert set(ADVICE) == REASONS
    assert all(ADVICE.values())


def test_each_rejected_line_has_its_number(bench: Workbench) -> None:
    content = 'text,label\ngood one,a\n"two\nlines",b\nshort\ngood two,b\na,b,c\n'
    result = curate(bench, source_at(bench.write("n.csv", content)), operators=UNDIVIDED)
    assert [(one["line"], one["reason"]) for one in rejects_of(bench, result)] == [
        (5, "missing_column"),
        (7, "malformed"),
    ]
