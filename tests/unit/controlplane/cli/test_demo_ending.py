"""The demo's last screen: it is one screen, fits 80 and 120 columns, and says each thing once."""

import io
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from rich.console import Console

from controlplane.cli.app import main
from controlplane.cli.demo.ending import NEXT, Ending, Release, Spent, ending
from controlplane.cli.demo.story import start_clean
from controlplane.cli.demo.summary import BUSY, draw, last_word
from controlplane.cli.processes.demo_mark import MARK, is_demo
from controlplane.cli.processes.up import OF_A_DEMO
from schemas.views.rollouts import DecisionView

LINES_OF_A_SCREEN = 40
SAFE = (
    "the canary is less than 0.01 worse in `error` (10^9.8) and less than 0.05 worse in `wrong` (22.6): "
    "evidence of 20 was needed"
)
HARM = "the canary's `wrong` rate is above the stable one's: evidence 10^8.5, needed 50"
RELEASES = (
    Release("sentiment/1", False, ("0.7986 [0.777, 0.819]", "94%, at worst 97%"), "Promoted", False, "Verified",
            "11111111", "first release, loaded and answered by gateway-reviews"),
    Release("sentiment/2", True, ("0.8414 [0.821, 0.860]", "93%, at worst 95%"), "Promoted", False, "SAFE",
            "22222222", SAFE),
    Release("sentiment/3", False, ("not measured", "not attacked"), "RolledBack", True, "HARM", "33333333", HARM),
)  # fmt: skip
SPENT = [Spent(kind, 3, 100.4, 90.2) for kind in ("curate", "train", "export", "evaluate", "attack")]
HEADINGS = ("accuracy on test rows", "broken by attack")
TOLD = Ending(
    HEADINGS, RELEASES, SPENT, "7,335 live requests, 0 failed, 12 not sent", 341.0, BUSY, "", "sentiment@champion"
)


def drawn(width: int, told: Ending = TOLD) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(ending(told))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_it_is_one_screen_and_nothing_is_cut(width: int) -> None:
    lines = drawn(width)
    assert len(lines) <= LINES_OF_A_SCREEN
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize("width", [80, 120])
def test_rows_are_not_broken_but_for_the_reasons(width: int) -> None:
    """What is compared, typed or copied stays on one line."""
    lines = drawn(width)
    for release in RELEASES:
        for whole in (*release.figures, release.decision):
            assert any(whole in line for line in lines), whole
    for command, words in NEXT:
        command = command.format(champion="sentiment@champion")
        assert any(command in line and words in line for line in lines), command


def test_each_thing_is_said_once() -> None:
    text = " ".join(" ".join(drawn(120)).split())
    for once in (": champion", "22222222", "33333333", HARM, "7,335", "5 min 41 s", "not measured", "gates waived"):
        assert text.count(once) == 1, once


def test_why_requests_failed_or_were_not_sent_is_said_where_some_did() -> None:
    assert BUSY in " ".join(" ".join(drawn(80)).split())
    assert BUSY not in " ".join(" ".join(drawn(80, replace(TOLD, busy=""))).split())


def test_a_home_of_its_own_is_named() -> None:
    assert "GRAFTWORK_HOME" not in "\n".join(drawn(80))
    assert "export GRAFTWORK_HOME=elsewhere" in "\n".join(drawn(80, replace(TOLD, home="elsewhere")))


@pytest.mark.parametrize("command", [command for command, _ in NEXT])
def test_what_to_look_at_next_is_a_verb(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for word in command.split()[1:] if word.islower() and not {*"@{-"} & {*word}]
    with pytest.raises(SystemExit) as stopped:
        main([*words[:2], "--help"])
    assert stopped.value.code == 0
    assert f"graftwork {' '.join(words[:2])}" in " ".join(capsys.readouterr().out.split())


def test_the_picture_is_of_the_same_screen(tmp_path: Path) -> None:
    draw(ending(TOLD), tmp_path / "demo.svg")
    picture = (tmp_path / "demo.svg").read_text().replace("&#160;", " ")
    for words in ("What happened", "sentiment/2", "22222222", "graftwork up --home my-site"):
        assert words in picture


def test_the_last_word_on_a_rollout_is_its_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    def decision(kind: str, verdict: str) -> DecisionView:
        return DecisionView.model_construct(id=uuid4(), kind=kind, verdict=verdict, reason="")

    first, safe, after = decision("gates", "Passed"), decision("canary", "SAFE"), decision("promotion", "Promoted")
    assert last_word([first, safe, after]) is safe
    assert last_word([first, after]) is after


# --- a demo's folder --------------------------------------------------------------------------------------------------


def test_a_folder_is_a_demos_once_a_demo_has_begun_in_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert not is_demo(home)
    start_clean(home)
    assert is_demo(home)
    (home / "graftwork.db").touch()
    start_clean(home)
    assert [entry.name for entry in home.iterdir()] == [MARK]


def test_whoever_starts_it_again_is_told_what_it_is_and_where_own_work_belongs() -> None:
    told = OF_A_DEMO.format(home="there")
    assert "what the demo left in there" in told
    assert "graftwork up --home my-site" in told
