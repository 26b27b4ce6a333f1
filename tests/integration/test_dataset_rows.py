"""`graftwork dataset labels | head | export`: rows come from the artifact store, never from the API."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controlplane.cli.app import main
from controlplane.errors import Invalid
from controlplane.store.database import Database
from schemas.artifacts import ArtifactRef, Split
from schemas.data.manifest import DatasetManifest
from schemas.data.rows import ROW_SCHEMAS
from tests.support.builders import datasets
from tests.support.builders.results import curated
from tests.support.builders.specs import CURATE, TRAIN
from tests.support.builders.stored import store_manifest
from tests.support.curation import a_row
from tests.support.http_server import serving
from tests.support.jobs import Jobs
from tests.support.worlds.in_process import InProcess
from workers.curate.rejects import rejects_in
from workers.curate.rows import Reject
from workers.curate.rows import digest_of as digest_of_text
from workers.data.parts import write_parts
from workers.data.rows import Messages, Place, Row
from workers.runtime.artifacts import ArtifactStore

HOSTILE = 'a "quote", a comma;\nand a second line'
ROWS: Mapping[Split, list[tuple[str, str, str | None]]] = {
    "train": [("good film", "positive", "u1"), (HOSTILE, "negative", None), ("dull", "negative", "u2")],
    "validation": [("fine", "positive", None)],
    "test": [("=1+1", "negative", None), ("schön ☂", "positive", None)],
}
EXPORTED = [
    {"split": split, "label": label, "text": text, "group": group}
    for split, rows in ROWS.items()
    for text, label, group in rows
]
REJECTS = [
    Reject(Place(0, 3), None, "empty_label", digest_of_text("a secret")),
    Reject(Place(0, 7), "deduplicate", "duplicate", digest_of_text("another")),
    Reject(Place(1, 2), None, "empty_label", digest_of_text("a third")),
]


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore((tmp_path / "home" / "artifacts").as_uri(), tmp_path / "cache")


@pytest.fixture
def manifest(store: ArtifactStore, tmp_path: Path) -> DatasetManifest:
    rows = {split: [_row(*one) for one in found] for split, found in ROWS.items()}
    parts = write_parts(rows, ROW_SCHEMAS["text_label"], store, tmp_path)
    return datasets.manifest(parts, labels=("negative", "positive", "unseen"))


@pytest.fixture
def jobs(sqlite_database: Database) -> Jobs:
    return Jobs(sqlite_database)


@pytest.fixture
def run(
    sqlite_database: Database,
    jobs: Jobs,
    store: ArtifactStore,
    manifest: DatasetManifest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Run]:
    """A viewer at the machine that has the store; the version was registered by a job."""
    ref = store_manifest(store, manifest)
    site = InProcess(sqlite_database)
    jobs.request("curate", CURATE)
    with rejects_in(tmp_path) as rejects:
        rejects.extend(REJECTS)
        file = rejects.written()
        assert file is not None
        told = {"rejected": rejects.reasons, "rejects": store.put_file(file, "application/jsonl")}
    jobs.complete(jobs.claimed(), curated(manifest=ref, **told))
    token = tmp_path / "token"
    token.write_text(site.tokens["viewer"])
    monkeypatch.setenv("GRAFTWORK_HOME", str(tmp_path / "home"))
    with serving(site.app) as url:

        def run_one(*arguments: str) -> Ran:
            with pytest.raises(SystemExit) as stopped:
                main(["dataset", *arguments, "--api-url", url, "--token-file", str(token)])
            said = capsys.readouterr()
            return Ran(int(stopped.value.code or 0), said.out, said.err)

        yield run_one


def test_labels_are_counted_by_split_without_a_text(run: Run) -> None:
    said = run("labels", "reviews/1", "--json")
    assert json.loads(said.out) == [
        {"label": "negative", "train": 2, "validation": 0, "test": 1, "rows": 3},
        {"label": "positive", "train": 1, "validation": 1, "test": 1, "rows": 3},
        {"label": "unseen", "train": 0, "validation": 0, "test": 0, "rows": 0},
    ]
    assert run("labels", "reviews@latest").out.splitlines()[1].split() == ["negative", "2", "0", "1", "3"]


def test_head_shows_the_first_rows_of_each_split_or_of_one(run: Run) -> None:
    shown = json.loads(run("head", "reviews/1", "-n", "1", "--json").out)
    assert [(row["split"], row["text"]) for row in shown] == [
        ("train", "good film"), ("validation", "fine"), ("test", "=1+1"),
    ]  # fmt: skip
    assert [row["text"] for row in json.loads(run("head", "reviews/1", "--split", "test", "--json").out)] == [
        "=1+1", "schön ☂",
    ]  # fmt: skip
    assert len(run("head", "reviews/1").out.splitlines()) == 1 + len(EXPORTED), "one line a row, whatever is in it"


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv"])
def test_an_export_holds_every_row_as_it_was_curated_for_its_owner_alone(run: Run, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    said = run("export", "reviews/1", str(file), "--json")
    assert json.loads(said.out) == {"file": str(file), "rows": len(EXPORTED)}
    assert file.stat().st_mode & 0o777 == 0o600
    assert read(file) == [{key: value or "" for key, value in row.items()} for row in EXPORTED]


def test_an_export_of_one_split_goes_to_stdout(run: Run) -> None:
    lines = run("export", "reviews/1", "-", "--split", "validation").out.splitlines()
    assert [json.loads(line) for line in lines] == [row for row in EXPORTED if row["split"] == "validation"]


def test_a_file_that_is_there_is_never_written_over(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text("precious")
    said = run("export", "reviews/1", str(file))
    assert (said.code, said.out, file.read_text()) == (2, "", "precious")
    assert said.err == f"graftwork: {file}: it cannot be made: File exists\n"


def test_another_ending_is_refused_before_anything_is_read(run: Run, tmp_path: Path) -> None:
    said = run("export", "reviews/1", str(tmp_path / "rows.xlsx"))
    assert said.code == 2
    assert "expected a name that ends in .jsonl or .csv, or - for JSONL on stdout" in said.err


def test_rejects_are_told_by_source_line_and_reason_and_never_by_text(run: Run) -> None:
    all_ = [(one.place.source, one.place.line, one.operator, one.reason) for one in REJECTS]
    said = run("rejects", "reviews/1", "--json")
    assert [tuple(row.values()) for row in json.loads(said.out)] == all_
    assert [set(row) for row in json.loads(said.out)] == 3 * [{"source", "line", "operator", "reason"}]
    table = run("rejects", "reviews@latest", "-n", "1").out.splitlines()
    assert [line.split() for line in table[:2]] == [["source", "line", "operator", "reason"], ["0", "3", "empty_label"]]
    assert table[2] == "1 of 3: -n 3 shows all"
    one = json.loads(run("rejects", "reviews/1", "--reason", "empty_label", "--json").out)
    assert [row["line"] for row in one] == [3, 2]
    wrong = run("rejects", "reviews/1", "--reason", "null")
    assert (wrong.code, wrong.out) == (2, "")
    assert "--reason: no row was rejected as 'null'; expected one of duplicate, empty_label" in wrong.err


@pytest.mark.parametrize("verb", [("labels",), ("head",), ("export",), ("rejects",)])
def test_who_has_no_access_to_the_store_gets_one_line(run: Run, tmp_path: Path, verb: tuple[str]) -> None:
    file = tmp_path / "rows.jsonl"
    more = [str(file)] if verb == ("export",) else []
    said = run(*verb, "reviews/1", *more, "--home", str(tmp_path / "elsewhere"))
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "cannot be read: FileNotFoundError; expected the store that the workers write to" in said.err
    assert not file.exists()


def test_a_damaged_part_is_never_shown_and_its_export_does_not_stay(
    run: Run, store: ArtifactStore, manifest: DatasetManifest, tmp_path: Path
) -> None:
    path = file_of(tmp_path, manifest.parts[-1].artifact)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    file = tmp_path / "rows.jsonl"
    said = run("export", "reviews/1", str(file))
    assert said.code == 2
    assert "is damaged" in said.err
    assert not file.exists()


def _row(text: str, label: str, group: str | None) -> Row:
    return a_row(text, label, group, text)


def file_of(tmp_path: Path, ref: ArtifactRef) -> Path:
    return tmp_path / "home" / "artifacts" / ref.location


def read(file: Path) -> list[dict[str, Any]]:
    if file.suffix == ".csv":
        with file.open(newline="") as opened:
            return list(csv.DictReader(opened))
    return [{k: v or "" for k, v in json.loads(line).items()} for line in file.read_text().split("\n") if line]


def test_rows_without_labels_are_shown_and_exported_by_their_own_columns(
    run: Run, store: ArtifactStore, tmp_path: Path, jobs: Jobs
) -> None:
    turns = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": 'As "said", ☂'}]
    parts = write_parts(
        {"train": [Messages(turns, group="g")], "validation": [], "test": []},
        ROW_SCHEMAS["messages"],
        store,
        tmp_path,
    )
    ref = store_manifest(store, datasets.manifest(parts, row_schema="messages", labels=()))
    jobs.request("curate", {**CURATE, "dataset": "chats", "row_schema": "messages"})
    jobs.complete(jobs.claimed(), curated("chats", dataset="chats", row_schema="messages", manifest=ref))
    row = {"split": "train", "messages": turns, "group": "g"}
    assert json.loads(run("head", "chats/1", "--json").out) == [row]
    assert json.loads(run("export", "chats/1", "-").out) == row
    assert run("export", "chats/1", str(tmp_path / "chats.csv")).code == 0
    (written,) = read(tmp_path / "chats.csv")
    assert json.loads(written.pop("messages")) == turns
    assert written == {"split": "train", "group": "g"}
    said = run("labels", "chats/1")
    assert (said.code, said.out) == (2, "")
    assert "chats/1: its rows are messages, which have no labels" in said.err
    assert json.loads(run("get", "chats/1", "--json").out)["row_schema"] == "messages"


def test_a_job_that_needs_labels_refuses_rows_without_them_at_the_request(
    run: Run, store: ArtifactStore, jobs: Jobs, tmp_path: Path
) -> None:
    jobs.request("curate", {**CURATE, "dataset": "chats", "row_schema": "messages"})
    jobs.complete(jobs.claimed(), curated("chats", dataset="chats", row_schema="messages"))
    with pytest.raises(Invalid, match="rows of text_label; chats/1 has rows of messages") as refused:
        jobs.request("train", {**TRAIN, "dataset": "chats@latest"})
    assert refused.value.field == "spec.dataset"
