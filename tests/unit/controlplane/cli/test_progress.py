"""What is said of a thing that is waited for: how far, how long still, and nothing that nobody can know."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from controlplane.cli import output
from controlplane.cli.live import draw
from controlplane.cli.output import Terminal
from controlplane.cli.progress import Line, Pace, Waited, how_far, in_words, of_job, of_run
from controlplane.cli.watching import Teller, watch
from controlplane.settings import Settings
from schemas.claims import Progress
from schemas.views.jobs import JobView
from schemas.views.pipelines import RunView, StageView

JOB = uuid4()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock)


def job(step: int | None, total: int = 100, *, attempt: int = 1, phase: str = "Running", **other: Any) -> JobView:
    told = None if step is None else Progress(step=step, total=total, metrics=other.pop("metrics", {}))
    plain = dict.fromkeys(JobView.model_fields)
    given = {
        "id": JOB, "kind": "train", "phase": phase, "spec": {}, "attempt": attempt, "failures": 0, "max_attempts": 3,
        "cancel_requested": False, "progress": told, "actor": "a", "correlationid": "c",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    return JobView.model_validate({**plain, **given, **other})


def told_at(pace: Pace, clock: Clock, *steps: tuple[float, int], total: int = 100, attempt: int = 1) -> float | None:
    left = None
    for at, step in steps:
        clock.now = 100 + at
        left = pace.seconds_left(job(step, total, attempt=attempt))
    return left


# --- how long still ---------------------------------------------------------------------------------------------------


def test_what_is_left_goes_at_the_pace_that_was_seen(pace: Pace, clock: Clock) -> None:
    assert told_at(pace, clock, (0, 10), (10, 20), (20, 30)) == pytest.approx(70)


def test_a_watcher_who_comes_late_counts_from_what_he_saw(pace: Pace, clock: Clock) -> None:
    assert told_at(pace, clock, (0, 80), (10, 90)) == pytest.approx(10)


@pytest.mark.parametrize(
    "steps",
    [
        [(0.0, 0)],
        [(0.0, 0), (10.0, 0)],
        [(0.0, 10)],
        [(0.0, 10), (60.0, 12)],
        [(0.0, 10), (0.4, 30)],
        [(0.0, 10), (20.0, 100)],
    ],
    ids=["begun", "nothing done", "one look", "two steps", "too early", "all done"],
)
def test_what_nobody_can_know_is_not_said(pace: Pace, clock: Clock, steps: list[tuple[float, int]]) -> None:
    assert told_at(pace, clock, *steps) is None


def test_a_job_that_stalls_has_more_left_and_not_less(pace: Pace, clock: Clock) -> None:
    before = told_at(pace, clock, (0, 10), (10, 50))
    after = told_at(pace, clock, (40, 50))
    assert before is not None
    assert after is not None
    assert after > before


def test_the_time_before_the_first_step_is_not_the_pace(pace: Pace, clock: Clock) -> None:
    """Loading a model takes long, and no step of it comes again."""
    assert told_at(pace, clock, (0, 0), (300, 1), (310, 11)) == pytest.approx(89)


def test_an_old_pace_is_forgotten(pace: Pace, clock: Clock) -> None:
    slow = [(10.0 * i, 1 + i) for i in range(20)]
    fast = [(190.0 + i, 20 + i) for i in range(1, 70)]
    assert told_at(pace, clock, *slow, *fast) == pytest.approx(11, rel=0.05)


def test_another_pass_over_the_rows_begins_anew(pace: Pace, clock: Clock) -> None:
    assert told_at(pace, clock, (0, 10), (10, 90)) is not None
    assert told_at(pace, clock, (11, 5)) is None
    assert told_at(pace, clock, (21, 15)) == pytest.approx(85)


def test_another_attempt_and_another_total_begin_anew(pace: Pace, clock: Clock) -> None:
    assert told_at(pace, clock, (0, 10), (10, 20)) is not None
    assert told_at(pace, clock, (11, 30), attempt=2) is None
    assert told_at(pace, clock, (21, 40), attempt=2) is not None
    assert told_at(pace, clock, (22, 50), attempt=2, total=400) is None


def test_jobs_at_once_have_a_pace_each(pace: Pace, clock: Clock) -> None:
    other = uuid4()
    for at, mine, theirs in ((0, 10, 10), (10, 20, 60)):
        clock.now = 100.0 + at
        left = pace.seconds_left(job(mine)), pace.seconds_left(job(theirs, id=other))
    assert left == (pytest.approx(80), pytest.approx(8))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.2, "a few seconds left"),
        (11, "about 10 s left"),
        (38, "about 40 s left"),
        (89, "about 90 s left"),
        (100, "about 2 min left"),
        (3000, "about 50 min left"),
        (7300, "about 2 h left"),
    ],
)
def test_an_estimate_is_rounded(seconds: float | None, words: str) -> None:
    assert in_words(seconds) == words


# --- how far ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "progress", "words"),
    [
        ("train", None, ""),
        ("train", Progress(step=0, total=0), ""),
        ("train", Progress(step=0, total=0, message="base model"), "base model"),
        ("train", Progress(step=999, total=1000, metrics={"loss": 0.43219}), "999/1,000 steps (99 %) · loss 0.4322"),
        (
            "attack",
            Progress(step=3, total=10, message="2 broken", metrics={"queries": 9}),
            "3/10 rows (30 %) · 2 broken",
        ),
        ("curate", Progress(step=1, total=3), "1/3 parts (33 %)"),
    ],
)
def test_how_far_is_counted_in_the_units_of_the_job(kind: str, progress: Progress | None, words: str) -> None:
    assert how_far(kind, progress) == words


def test_a_job_that_waits_again_shows_no_progress_of_its_last_attempt(pace: Pace) -> None:
    (line,) = of_job(pace)(job(50, phase="Pending", reason="its worker went silent")).lines
    assert (line.how_far, line.progress, line.reason) == ("", None, "its worker went silent")


# --- line by line -----------------------------------------------------------------------------------------------------


def stage(phase: str, job_id: UUID | None = None, reason: str = "") -> StageView:
    return StageView(phase=phase, job_id=job_id, rollout_id=None, outputs={}, reason=reason)  # type: ignore[arg-type]


def run(**stages: StageView) -> RunView:
    plain = dict.fromkeys(RunView.model_fields)
    given = {
        "id": uuid4(), "pipeline": "reviews", "phase": "Running", "stages": stages, "params": {}, "actor": "a",
        "correlationid": "c", "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    return RunView.model_validate({**plain, **given})


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def hear(lines: list[str], clock: Clock, pace: Pace) -> Callable[[float, RunView, dict[str, JobView]], None]:
    teller = Teller(lambda line: lines.append(" ".join(line.split())), clock)

    def one(at: float, seen: RunView, jobs: dict[str, JobView]) -> None:
        clock.now = 100 + at
        teller.hear(of_run(pace, lambda _: jobs)(seen))

    return one


def test_a_stage_has_a_line_when_it_changes_and_every_ten_seconds(lines: list[str], hear: Any) -> None:
    going = run(curate=stage("Succeeded"), train=stage("Running", JOB), export=stage("Waiting"))
    for at in range(26):
        hear(at, going, {"train": job(10 + 2 * at)})
    hear(26, run(curate=stage("Succeeded"), train=stage("Succeeded"), export=stage("Running", JOB)), {})
    assert lines == [
        "curate Succeeded",
        "train Running 10/100 steps (10 %)",
        "train Running 30/100 steps (30 %) · about 40 s left",
        "train Running 50/100 steps (50 %) · about 25 s left",
        "train Succeeded",
        "export Running",
    ]


def test_another_attempt_is_told_at_once(lines: list[str], hear: Any) -> None:
    going = run(train=stage("Running", JOB))
    hear(0, going, {"train": job(50)})
    hear(1, going, {"train": job(50, attempt=2)})
    assert lines == ["train Running 50/100 steps (50 %)", "train Running attempt 2 · 50/100 steps (50 %)"]


def test_what_has_ended_is_told_once(lines: list[str], hear: Any) -> None:
    ended = run(train=stage("Failed", reason="out of memory"), export=stage("Skipped"))
    for at in (0, 20, 40):
        hear(at, ended, {})
    assert lines == ["train Failed out of memory", "export Skipped"]


def test_what_nobody_can_count_is_told_again_when_its_words_change(lines: list[str], hear: Any) -> None:
    said = {0: "", 9: "", 10: "", 19: "", 20: "", 21: "no worker", 22: "busy", 31: "busy", 32: "busy"}
    for at, reason in said.items():
        hear(at, run(train=stage("Running", JOB, reason)), {"train": job(None, phase="Pending")})
    assert lines == ["train Pending", "train Pending no worker", "train Pending busy"]


def test_the_same_words_are_not_told_twice_whatever_else_was_written(lines: list[str], hear: Any) -> None:
    for at in (0, 10, 20, 30):
        hear(at, run(export=stage("Running", JOB)), {"export": job(2, 3, revision=at)})
    assert lines == ["export Running 2/3 steps (66 %)"]


# --- where it is told -------------------------------------------------------------------------------------------------


def follow(seen: Callable[[JobView], None]) -> str:
    for one in (job(1), job(2, phase="Succeeded")):
        seen(one)
    return "done"


def test_through_a_pipe_it_is_told_on_standard_output(pace: Pace, capsys: pytest.CaptureFixture[str]) -> None:
    assert watch(Terminal(Settings()), follow, of_job(pace)) == "done"
    said = capsys.readouterr()
    assert [line.split()[:2] for line in said.out.splitlines()] == [["train", "Running"], ["train", "Succeeded"]]
    assert said.err == ""


def test_with_json_it_is_told_on_standard_error(pace: Pace, capsys: pytest.CaptureFixture[str]) -> None:
    assert watch(Terminal(Settings(), as_json=True), follow, of_job(pace)) == "done"
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 2


def test_each_line_is_out_before_the_next_comes(monkeypatch: pytest.MonkeyPatch, pace: Pace) -> None:
    """A pipe is buffered: what is not flushed is told when nobody waits any more."""
    out = Pipe()
    monkeypatch.setattr(output.sys, "stdout", out)

    def look_between(seen: Callable[[JobView], None]) -> Iterator[int]:
        seen(job(1))
        yield out.written
        seen(job(2, phase="Succeeded"))
        yield out.written

    counts = watch(Terminal(Settings()), lambda seen: list(look_between(seen)), of_job(pace))
    assert counts == [1, 2]


class Pipe:
    """Counts the lines that a reader could have."""

    def __init__(self) -> None:
        self.written, self._buffered = 0, 0

    def write(self, text: str) -> int:
        self._buffered += text.count("\n")
        return len(text)

    def flush(self) -> None:
        self.written, self._buffered = self.written + self._buffered, 0

    def isatty(self) -> bool:
        return False


def test_a_terminal_draws_the_same_words(pace: Pace, capsys: pytest.CaptureFixture[str]) -> None:
    waited = of_job(pace)(job(3, 10, metrics={"loss": 0.5}))
    Terminal(Settings()).console.print(draw(waited))
    drawn = capsys.readouterr().out
    assert waited.lines[0].words == "3/10 steps (30 %) · loss 0.5"
    assert waited.lines[0].words in drawn


@pytest.mark.parametrize("text", ["[/nothing]", "[red]x", "[bold]", "closing [/] early", "[link=http://x]"])
def test_what_a_stranger_wrote_is_text_and_no_markup(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(Settings()).console.print(draw(Waited(text, "Running", (Line(text, "Running", reason=text),), (text,))))
    assert capsys.readouterr().out.count(text) == 4
