"""Rows to generate text from: recognised by their columns, rejected with reasons, divided without leaks."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from schemas.data.operators import Deduplicate, Labels, Splits, Truncate, pipeline
from schemas.jobs.curate import CurateResult
from tests.support.builders.datasets import dataset_ref, registered_dataset
from tests.support.builders.specs import attack_spec, curate_spec, evaluate_spec, source_at, train_spec
from tests.support.curation import UNDIVIDED, curate, manifest_of, rejects_of, splits_of
from tests.support.workbench import Workbench
from workers.data.manifest import read_split
from workers.data.rows import Messages, PromptCompletion
from workers.runtime.errors import JobError

Record = dict[str, Any]
PAIRS: list[Record] = [{"prompt": f"What is {n} and {n}?", "completion": f" It is {2 * n}.\n"} for n in range(20)]
CHATS: list[Record] = [
    {
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": f"Name {n}?"},
            {"role": "assistant", "content": f"It's {n}."},
        ]
    }
    for n in range(20)
]
GPT = {"system": "system", "user": "human", "assistant": "gpt"}
SHARED: list[Record] = [
    {"conversations": [{"from": GPT[one["role"]], "value": one["content"]} for one in chat["messages"]]}
    for chat in CHATS
]
ALPACA: list[Record] = [{"instruction": one["prompt"], "input": "", "output": one["completion"]} for one in PAIRS]


def jsonl(bench: Workbench, name: str, rows: list[Record]) -> str:
    return bench.jsonl(f"{name}.jsonl", rows)


def array(bench: Workbench, name: str, rows: list[Record]) -> str:
    return bench.write(f"{name}.json", json.dumps(rows))


def parquet(bench: Workbench, name: str, rows: list[Record]) -> str:
    path = bench.files / f"{name}.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path.as_uri()


def delimited(bench: Workbench, name: str, rows: list[Record]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(
        {key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()} for row in rows
    )
    return bench.write(f"{name}.csv", out.getvalue())


FORMATS: list[Callable[[Workbench, str, list[Record]], str]] = [jsonl, array, parquet, delimited]


def made(bench: Workbench, uri: str, row_schema: str, **fields: Any) -> CurateResult:
    return curate(bench, source_at(uri), row_schema=row_schema, **fields)


@pytest.mark.parametrize(
    ("row_schema", "shapes"), [("prompt_completion", (PAIRS, ALPACA)), ("messages", (CHATS, SHARED))]
)
def test_one_dataset_comes_of_every_shape_and_format(bench: Workbench, row_schema: str, shapes: Any) -> None:
    results = [
        made(bench, write(bench, f"{number}", rows), row_schema)
        for number, rows in enumerate(shapes)
        for write in FORMATS
    ]
    assert len({result.digest for result in results}) == 1
    assert len({json.dumps(splits_of(bench, result)) for result in results}) == 1
    assert all(result.rejected == {} and result.row_schema == row_schema for result in results)
    found = splits_of(bench, results[0])
    assert results[0].rows == {"train": 14, "validation": 2, "test": 4}
    held = sorted(json.dumps({name: row[name] for name in shapes[0][0]}) for part in found.values() for row in part)
    assert held == sorted(map(json.dumps, shapes[0]))
    manifest = manifest_of(bench, results[0])
    assert (manifest.row_schema, manifest.labels) == (row_schema, ())
    assert {part.row_schema for part in manifest.parts} == {row_schema}


def test_the_digests_of_generation_datasets_are_golden(bench: Workbench) -> None:
    assert made(bench, jsonl(bench, "p", PAIRS), "prompt_completion").digest == GOLDEN["prompt_completion"]
    assert made(bench, jsonl(bench, "m", CHATS), "messages").digest == GOLDEN["messages"]


GOLDEN = {
    "prompt_completion": "sha256:1af6566114e85d656b3ad0938888899d816e0e33b694d806b8f7e6f028028ad8",
    "messages": "sha256:ea036d2c94453ba4ffee1dcf8a8bde68a5c17d176f63df786589ca5d3714b636",
}


def test_an_alpaca_input_stands_below_its_instruction(bench: Workbench) -> None:
    rows = [{"instruction": "Sum up.", "input": "A long text.", "output": "Short."}, *ALPACA]
    held = splits_of(bench, made(bench, jsonl(bench, "a", rows), "prompt_completion", operators=UNDIVIDED))["train"]
    assert {"prompt": "Sum up.\n\nA long text.", "completion": "Short.", "group": None} in held
    without = [{"instruction": one["prompt"], "output": one["completion"]} for one in PAIRS]
    same = made(bench, jsonl(bench, "b", without), "prompt_completion")
    assert same.digest == made(bench, jsonl(bench, "c", ALPACA), "prompt_completion").digest


def chat(*turns: tuple[Any, Any]) -> Record:
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


ASKED = ("user", "Why?")
BAD_CHATS: list[tuple[Record, str]] = [
    ({"messages": None}, "not_messages"),
    ({"messages": []}, "not_messages"),
    ({"messages": "hello"}, "not_messages"),
    ({"messages": ["hello"]}, "not_messages"),
    ({"messages": [{"role": "user"}]}, "not_messages"),
    (chat(ASKED), "no_assistant_turn_last"),
    (chat(ASKED, ("assistant", "Because."), ASKED), "no_assistant_turn_last"),
    (chat(ASKED, ("assistant", " ")), "empty_message"),
    (chat(ASKED, ("assistant", None)), "empty_message"),
    (chat(ASKED, ("assistant", ["parts"])), "not_text"),
    (chat(ASKED, ("tool", "42"), ("assistant", "42")), "unknown_role"),
    (chat(ASKED, (7, "x"), ("assistant", "42")), "unknown_role"),
    (chat(ASKED, ("assistant", "nul \0 here")), "nul_character"),
    (chat(ASKED, ("assistant", "lone \ud800")), "undecodable"),
    ({"other": 1}, "missing_column"),
]
BAD_PAIRS: list[tuple[Record, str]] = [
    ({"prompt": "x y", "completion": ""}, "empty_completion"),
    ({"prompt": "x y", "completion": None}, "empty_completion"),
    ({"prompt": " ", "completion": "z"}, "empty_prompt"),
    ({"prompt": "x y", "completion": 7}, "not_text"),
    ({"prompt": "x \0 y", "completion": "z"}, "nul_character"),
    ({"prompt": "x y"}, "missing_column"),
]


@pytest.mark.parametrize(
    ("row_schema", "good", "bad"), [("messages", CHATS, BAD_CHATS), ("prompt_completion", PAIRS, BAD_PAIRS)]
)
def test_every_bad_row_has_its_reason_and_its_text_is_nowhere(
    bench: Workbench, row_schema: str, good: list[Record], bad: list[tuple[Record, str]]
) -> None:
    result = made(bench, jsonl(bench, "r", [*good, *(row for row, _ in bad)]), row_schema, operators=UNDIVIDED)
    rejects = rejects_of(bench, result)
    assert [(one["line"], one["reason"]) for one in rejects] == [
        (line, reason) for line, (_, reason) in enumerate(bad, len(good) + 1)
    ]
    assert {one["operator"] for one in rejects} == {None}
    assert result.rows["train"] == len(good)
    assert result.rejects is not None
    assert b"x y" not in bench.artifacts.read(result.rejects)
    assert result.warnings
    assert "x y" not in repr(bench.reports) + repr(result.warnings)


@pytest.mark.parametrize(
    ("columns", "row_schema"),
    [
        (("prompt", "completion"), "prompt_completion"),
        (("instruction", "output"), "prompt_completion"),
        (("messages", "id"), "messages"),
    ],
)
def test_who_leaves_the_row_schema_out_is_told_whose_columns_the_file_has(
    bench: Workbench, columns: tuple[str, str], row_schema: str
) -> None:
    for write in FORMATS:
        with pytest.raises(JobError, match=f"are those of rows of {row_schema}: set field row_schema to {row_schema}"):
            made(bench, write(bench, "q", [dict.fromkeys(columns, "a text")]), "text_label")


@pytest.mark.parametrize("row_schema", ["prompt_completion", "messages"])
def test_other_columns_are_refused_with_those_that_were_found(bench: Workbench, row_schema: str) -> None:
    rows = [{"question": "Why?", "answer": "So."}, {"question": "When?", "answer": "Now."}]
    expected = {
        "prompt_completion": "expected prompt and completion, or instruction and output",
        "messages": "expected messages, or conversations",
    }[row_schema]
    for write in FORMATS:
        with pytest.raises(JobError) as refused:
            made(bench, write(bench, "q", rows), row_schema)
        assert f"its columns are no {row_schema}: {expected}" in str(refused.value)
        assert "found: 'answer', 'question'" in str(refused.value)


def test_a_source_may_say_which_columns_are_meant(bench: Workbench) -> None:
    rows = [{"question": one["prompt"], "answer": one["completion"], "id": n // 2} for n, one in enumerate(PAIRS)]
    named = {"columns": {"prompt": "question", "completion": "answer"}}
    results = [curate(bench, source_at(w(bench, "q", rows), **named), row_schema="prompt_completion") for w in FORMATS]
    assert {result.digest for result in results} == {made(bench, jsonl(bench, "p", PAIRS), "prompt_completion").digest}
    grouped = source_at(jsonl(bench, "g", rows), **named, group="id")
    found = splits_of(
        bench, curate(bench, grouped, row_schema="prompt_completion", operators=pipeline(Splits(test=0.5)))
    )
    groups = [{row["group"] for row in part} for part in found.values()]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 10


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"operators": pipeline(Labels(labels=("a", "b")))},
            "labels is for rows of text_label; row_schema is m",
        ),
        ({"operators": pipeline(Truncate(max_words=3))}, "truncate is for rows of text_label; row_schema is messages"),
        (
            {"operators": pipeline(Splits(balanced=True))},
            "balanced splits need labels, which rows of messages",
        ),
        ({"sources": (source_at(columns={"prompt": "q"}),)}, "rows of messages need columns for messages"),
        ({"parent": dataset_ref()}, "reviews/1 has rows of text_label; expected messages, which is row_schema"),
        ({"row_schema": "tables"}, "Input should be 'text_label', 'prompt_completion' or 'messages'"),
    ],
)
def test_what_only_other_rows_have_is_refused_at_the_request(fields: Record, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        curate_spec(**{"row_schema": "messages", **fields})


def test_duplicates_are_told_by_prompt_and_completion(bench: Workbench) -> None:
    rows = [
        *PAIRS,
        {"prompt": "what is 1 and 1?", "completion": "it is 2"},
        {"prompt": "What is 1 and 1?", "completion": "Two, I think"},
    ]
    result = made(bench, jsonl(bench, "d", rows), "prompt_completion", operators=(Deduplicate(), Splits(test=0.5)))
    assert result.rejected == {"duplicate": 1}
    (reject,) = rejects_of(bench, result)
    assert reject["operator"] == "deduplicate"
    held = [split for split, part in splits_of(bench, result).items() for row in part if " 1 and 1" in row["prompt"]]
    assert len(held) == 2
    assert len(set(held)) == 1, "two answers to one question never lie in two splits"
    chats = [*CHATS, chat(*((turn["role"], turn["content"].upper()) for turn in CHATS[3]["messages"]))]
    assert made(bench, jsonl(bench, "c", chats), "messages").rejected == {"duplicate": 1}


def test_a_key_tells_where_one_text_ends_and_who_said_it() -> None:
    assert PromptCompletion("a b", "c").key != PromptCompletion("a", "b c").key
    said: Any = [
        [{"role": role, "content": "a"} for role in roles] for roles in (("user", "assistant"), ("system",) * 2)
    ]
    assert len({Messages(turns).key for turns in said}) == 2


def test_a_version_grows_from_its_parent(bench: Workbench) -> None:
    first = made(bench, jsonl(bench, "a", CHATS), "messages")
    more = [*CHATS[:5], *(chat(("user", f"More {n}?"), ("assistant", "Yes.")) for n in range(5))]
    second = made(bench, jsonl(bench, "b", more), "messages", parent=registered_dataset(first))
    assert second.rejected == {"duplicate": 5}
    assert second.rows == {"train": 19, "validation": 2, "test": 4}
    assert splits_of(bench, second)["test"] == splits_of(bench, first)["test"]


def test_jobs_that_need_labels_refuse_other_rows_at_the_request_and_in_the_worker(bench: Workbench) -> None:
    chats = registered_dataset(made(bench, jsonl(bench, "a", CHATS), "messages"))
    assert chats.row_schema == "messages"
    said = "expected a dataset version with rows of text_label; reviews/1 has rows of messages"
    makers: list[tuple[str, Callable[..., Any]]] = [
        ("dataset", train_spec), ("public_dataset", train_spec), ("dataset", evaluate_spec), ("dataset", attack_spec),
    ]  # fmt: skip
    for field, make in makers:
        with pytest.raises(ValidationError, match=said) as refused:
            make(**{field: chats})
        assert [error["loc"] for error in refused.value.errors()] == [(field,)]
    with pytest.raises(JobError, match="has rows of messages; expected text_label"):
        read_split(bench.artifacts, chats, "train")
