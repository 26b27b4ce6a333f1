"""What the CLI prints: tables for people, JSON for machines; nothing that a stranger wrote is read as markup."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from controlplane.cli import documents
from controlplane.cli.output import Terminal, cell, dig
from controlplane.settings import Settings


class Thing(BaseModel):
    name: str
    at: datetime = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
    rows: dict[str, int] = {"train": 8}
    share: float = 1 / 3
    reason: str | None = None


class Out:
    """What was printed so far."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured

    def getvalue(self) -> str:
        return self._captured.readouterr().out


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Out:
    monkeypatch.setenv("COLUMNS", "200")
    return Out(capsys)


def screen(*, as_json: bool = False) -> Terminal:
    return Terminal(Settings(), as_json)


def test_rows_are_a_table_of_the_columns_asked_for(out: Out) -> None:
    terminal = screen()
    terminal.rows([Thing(name="a"), Thing(name="b", rows={})], ("name", "rows.train", "at", "share", "reason"))
    assert [line.split() for line in out.getvalue().splitlines()] == [
        ["name", "train", "at", "share", "reason"],
        ["a", "8", "2026-01-02", "03:04:05", "0.3333"],
        ["b", "2026-01-02", "03:04:05", "0.3333"],
    ]


def test_no_rows_are_said_to_be_none(out: Out) -> None:
    terminal = screen()
    terminal.rows([], ("name",), empty="no things")
    assert out.getvalue() == "no things\n"


def test_one_thing_is_shown_without_what_is_empty(out: Out) -> None:
    terminal = screen()
    terminal.show(Thing(name="a", rows={}))
    assert [line.split()[0] for line in out.getvalue().splitlines()] == ["name", "at", "share"]


@pytest.mark.parametrize("text", ["[/nothing]", "[red]x", "[bold]", "closing [/] early", "[link=http://x]"])
def test_what_a_stranger_wrote_is_text_and_no_markup(text: str, out: Out) -> None:
    terminal = screen()
    terminal.rows([Thing(name=text)], ("name",))
    terminal.show(Thing(name=text))
    assert out.getvalue().count(text) == 2


def test_with_json_there_is_json_and_nothing_else(out: Out) -> None:
    terminal = screen(as_json=True)
    terminal.say("for people")
    terminal.rows([Thing(name="a")], ("name",))
    assert json.loads(out.getvalue())[0]["rows"] == {"train": 8}
    terminal.show(Thing(name="é"))
    assert json.loads(out.getvalue())["name"] == "é"
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (0.123456, "0.1235"),
        (True, "True"),
        ({"a": 1, "b": [1, 2]}, "a=1  b=1, 2"),
        ("2026-01-02T03:04:05.678Z", "2026-01-02 03:04:05"),
        ("just some words that are long", "just some words that are long"),
    ],
)
def test_a_cell_is_short(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_a_dotted_path_ends_where_there_is_nothing() -> None:
    assert dig({"a": {"b": 1}}, "a.b") == 1
    assert dig({"a": None}, "a.b") is None
    assert dig({}, "a.b.c") is None


# --- documents --------------------------------------------------------------------------------------------------------


def test_a_document_is_yaml_or_json(tmp_path: Path) -> None:
    file = tmp_path / "one"
    file.write_text("name: a\nlimit: 3\n")
    assert documents.named(file) == {"name": "a", "limit": 3}
    file.write_text('{"name": "a"}')
    assert documents.load(file) == {"name": "a"}


def test_pairs_are_yaml_values() -> None:
    words = ["limit=3000", "parent=null", "name=x=y", "empty=", "on=true", "rate=0.5", "names=[a, b]"]
    assert documents.pairs(words) == {
        "limit": 3000, "parent": None, "name": "x=y", "empty": "", "on": True, "rate": 0.5, "names": ["a", "b"],
    }  # fmt: skip


@pytest.mark.parametrize("word", ["limit", "a=[1", "a={"])
def test_what_is_no_pair_is_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as stopped:
        documents.pairs([word])
    assert stopped.value.exit_code == 2
    assert repr(word) in capsys.readouterr().err
