"""Tables in plain text: nothing is wrapped, what is compared or typed stays usable, and a pipe gets everything."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.cli.output import Terminal
from controlplane.cli.table import LEAST, table
from controlplane.cli.verbs.jobs import COLUMNS
from controlplane.domain.waits import SHORT_ID
from controlplane.settings import Settings

IDS = ("92367760-6ef5-4e73-8c6e-1d9144a71f18", "639c3964-042d-436d-8a68-8200a69dd78c")
NAME = "customer-support-tickets-of-the-northern-region"
REASON = "the canary's `wrong` rate is above the stable one's: evidence 10^8.5, needed 50"
JOBS = [
    [IDS[0], "evaluate", "Succeeded", "1", "evaluate", "2026-11-24 12:00:00", ""],
    [IDS[1], "curate", "Cancelled", "3", "", "2026-11-24 12:00:01", REASON],
]
JOB_HEAD = list(COLUMNS)


def drawn(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = 80) -> list[str]:
    return list(table(head, rows, width))


def test_a_list_of_jobs_is_one_line_a_job_at_80_columns() -> None:
    lines = drawn(JOB_HEAD, JOBS)
    assert len(lines) == 3
    assert max(map(len, lines)) <= 80
    for row, line in zip(JOBS, lines[1:], strict=True):
        assert line.split()[:3] == [row[0][:SHORT_ID], row[1], row[2]]
        assert "11-24 12:00" in line


@pytest.mark.parametrize("width", [40, 80, 120])
def test_an_id_that_does_not_fit_is_the_beginning_that_every_verb_takes(width: int) -> None:
    lines = drawn(["id", "deployment", "reason"], [[one, NAME, REASON] for one in IDS], width)
    assert [line.split()[0] for line in lines[1:]] == [one[:SHORT_ID] for one in IDS]
    assert max(map(len, lines)) <= width


def test_an_id_that_fits_is_whole() -> None:
    lines = drawn(["id", "kind"], [[IDS[0], "train"]])
    assert lines[1] == f"{IDS[0]}  train"


def test_a_name_gives_way_only_once_it_is_the_widest() -> None:
    (_, line) = drawn(["name", "reason"], [[NAME, REASON]])
    name, _, reason = line.partition("  ")
    assert name.startswith(NAME[:35])
    assert reason.startswith(REASON[:35])
    (_, line) = drawn(["version", "reason"], [["sentiment/12", REASON * 3]])
    assert line.startswith("sentiment/12  ")
    assert line.endswith("…")


def test_what_was_cut_says_so() -> None:
    (_, line) = drawn(["name", "reason"], [["a", REASON * 2]])
    assert line.endswith("…")
    assert len(line) == 80


def test_a_pipe_has_no_edge() -> None:
    lines = drawn(JOB_HEAD, JOBS, None)
    assert IDS[0] in lines[1]
    assert REASON in lines[2]


@pytest.mark.parametrize("text", ["one\ntwo", "one\rtwo", "one\ttwo", "\x1b[31mred\x1b[0m", "one\u2028two", "\x9b2J"])
def test_a_cell_never_ends_the_line_nor_moves_the_cursor(text: str) -> None:
    lines = drawn(["name"], [[text]])
    assert len(lines) == 2
    assert lines[1].isprintable()


@pytest.mark.parametrize("text", ["評価データ" * 12, "評価" * 30 + "x"])
def test_wide_letters_count_twice(text: str) -> None:
    (_, line) = drawn(["name", "kind"], [[text, "train"]])
    cells = sum(1 if c.isascii() or c == "…" else 2 for c in line)
    assert cells <= 80
    assert line.endswith("train")


CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=90)


@given(st.integers(1, 7).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=5)))
def test_no_table_whatever_is_in_it_is_wider_than_the_terminal(rows: list[list[str]]) -> None:
    """Seven columns of the least width and their gaps are 68 columns."""
    assert 7 * LEAST + 6 * 2 <= 80
    lines = drawn([f"c{n}" for n in range(len(rows[0]))], rows)
    assert len(lines) == len(rows) + 1
    assert all(len(line) <= 80 for line in lines)


def test_on_a_terminal_of_80_columns_a_verb_prints_a_table_that_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Terminal, "width", 80)
    values = [dict(zip(JOB_HEAD, row, strict=True)) for row in JOBS]
    Terminal(Settings()).rows(values, JOB_HEAD)
    plain = capsys.readouterr().out.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert max(map(len, plain.splitlines())) <= 80
    Terminal(Settings(), as_json=True).rows(values, JOB_HEAD)
    assert json.loads(capsys.readouterr().out) == values
