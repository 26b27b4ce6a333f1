"""`graftwork predict` against a live gateway: a text, a file, stdin."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from controlplane.cli.app import main

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(client: httpx.Client, capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["predict", "reviews", *words, "--gateway", str(client.base_url)])
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    return run


def answers(ask: Ask, *words: str) -> list[dict[str, Any]]:
    code, out, err = ask(*words, "--json")
    assert (code, err) == (0, "")
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_a_text_gets_its_label_scores_version_and_prediction_id(ask: Ask) -> None:
    [one] = answers(ask, "a wonderful film")
    assert one["label"] in one["scores"]
    assert one["scores"][one["label"]] == max(one["scores"].values())
    assert (one["version"], one["variant"]) == ("movies/1", "stable")
    assert one["prediction_id"].count(".") == 1
    assert "movies/1" in ask("a wonderful film")[1]


def test_each_line_of_a_file_or_of_stdin_is_a_text(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "texts"
    file.write_text("one\n\ntwo\n" * 20)
    assert len(answers(ask, "--file", str(file))) == 40
    monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo\nthree\n"))
    assert len(answers(ask)) == 3


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe"])
def test_a_file_without_a_text_is_refused(ask: Ask, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "texts"
    file.write_bytes(content)
    code, out, err = ask("--file", str(file))
    assert (code, out, err.count("\n")) == (2, "", 1)
