"""What a worker keeps while nobody listens, what a job's process may say, and what its settings mean."""

import json
import os
from pathlib import Path

import pytest

from schemas.claims import Checkpoint, CurvePoint, Progress
from tests.support.builders.artifacts import artifact
from workers.runtime.child import ReportPipe, describe
from workers.runtime.files import scratch_folder, sweep_scratch
from workers.runtime.messages import AttemptMessage
from workers.runtime.news import (
    MAX_BATCH_CHARACTERS,
    MAX_BATCH_LINES,
    MAX_BATCH_POINTS,
    MAX_KEPT_LINES,
    MAX_KEPT_POINTS,
    MAX_LINE_LENGTH,
    News,
)
from workers.runtime.settings import WorkerSettings


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(artifact=artifact("a"), step=step)


def test_news_are_taken_once() -> None:
    news = News()
    for report in (Progress(step=1, total=2), Progress(step=2, total=2), checkpoint(1), "a line"):
        news.hear(report)
    batch = news.take()
    assert (batch.progress, batch.checkpoint, batch.logs) == (Progress(step=2, total=2), checkpoint(1), ("a line",))
    assert news.is_empty
    assert news.take().is_empty


def test_news_that_did_not_arrive_are_sent_again_behind_what_is_newer() -> None:
    news = News()
    news.hear(Progress(step=1, total=9))
    news.hear(checkpoint(1))
    for line in ("first", "second", "third"):
        news.hear(line)
    lost = news.take()
    news.hear(Progress(step=2, total=9))
    news.hear("fourth")
    news.hear("fifth")
    news.put_back(lost)
    batch = news.take()
    assert batch.progress == Progress(step=2, total=9)
    assert batch.checkpoint == checkpoint(1)
    assert batch.logs == ("first", "second", "third", "fourth", "fifth")


def test_a_checkpoint_that_did_not_arrive_gives_way_to_a_newer_one() -> None:
    news = News()
    news.hear(checkpoint(1))
    lost = news.take()
    news.hear(checkpoint(2))
    news.put_back(lost)
    assert news.take().checkpoint == checkpoint(2)


def test_a_log_of_many_batches_arrives_whole_and_in_order_though_every_second_is_lost() -> None:
    news = News()
    lines = [f"{number} {'x' * (number % 900)}" for number in range(3 * MAX_BATCH_LINES)]
    for line in lines:
        news.hear(line)
    arrived: list[str] = []
    for attempt in range(100):
        batch = news.take()
        if attempt % 2:
            arrived += batch.logs
        else:
            news.put_back(batch)
    assert arrived == lines
    assert news.is_empty


def test_a_batch_fits_into_a_request() -> None:
    news = News()
    for number in range(2 * MAX_BATCH_LINES):
        news.hear(f"{number} " + "\x01" * 2 * MAX_LINE_LENGTH)
    batch = news.take()
    assert all(len(line) == MAX_LINE_LENGTH for line in batch.logs)
    assert sum(map(len, batch.logs)) <= MAX_BATCH_CHARACTERS + MAX_LINE_LENGTH
    assert len(json.dumps(batch.logs)) < 1024 * 1024
    assert not news.is_empty


def test_of_too_many_lines_the_oldest_are_dropped_and_counted() -> None:
    news = News()
    for number in range(MAX_KEPT_LINES + 7):
        news.hear(str(number))
    assert news.take().logs[:2] == ("… 7 lines were dropped: more was logged than could be sent", "7")


def test_a_metric_that_is_no_number_does_not_cost_the_heartbeat() -> None:
    news = News()
    news.hear(Progress(step=1, total=2, metrics={"loss": float("inf"), "lr": 0.1}))
    batch = news.take()
    assert batch.progress is not None
    assert batch.progress.metrics == {"lr": 0.1}


def test_text_that_no_database_holds_does_not_cost_the_heartbeat() -> None:
    """The API refuses the whole request for one such character, and with it the checkpoint."""
    news = News()
    for report in (Progress(step=1, total=2, message="a\0b", metrics={"c\0d": 1.0}), checkpoint(1), "e\0f\ud800"):
        news.hear(report)
    batch = news.take()
    assert batch.progress == Progress(step=1, total=2, message="a\ufffdb", metrics={"c\ufffdd": 1.0})
    assert batch.logs == ("e\ufffdf?",)


def test_scratch_of_killed_workers_is_swept_and_what_is_held_or_young_is_not(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "held"):
        for name in ("left", "young"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "file").touch()
        for name in ("held", "left"):
            os.utime(tmp_path / name, (0, 0))
        sweep_scratch(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {"held", "young"}
    assert {path.name for path in tmp_path.iterdir()} == {"young"}
    sweep_scratch(tmp_path / "nowhere")


def test_an_unexpected_error_is_described_without_its_message() -> None:
    read_end, write_end = os.pipe()
    pipe = ReportPipe(write_end)
    try:
        raise ValueError("the text of somebody's row")
    except ValueError as error:
        reason = describe(error, pipe)
    with os.fdopen(read_end, "rb") as reports:
        said = AttemptMessage.model_validate_json(reports.readline())
    pipe.close()
    assert reason.startswith("unexpected ValueError at test_worker_runtime.py:")
    assert said.log is not None
    assert "somebody" not in reason + said.log.split(": ", 1)[0]


def test_folders_are_separated_as_in_path_and_packages_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFTWORK_FILE_ROOTS", f"/data{os.pathsep}/more")
    monkeypatch.setenv("GRAFTWORK_PYPI_PACKAGES", "one, two")
    settings = WorkerSettings()
    assert settings.file_roots == (Path("/data"), Path("/more"))
    assert settings.pypi_packages == ("one", "two")


def test_a_jobs_process_gets_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFTWORK_TOKEN", "s3cret")
    assert "s3cret" not in WorkerSettings().stores().model_dump_json()


def test_a_curve_survives_an_outage_whole_and_in_order() -> None:
    news, arrived = News(), list[CurvePoint]()
    points = [CurvePoint(step=step, values={"loss": 1 / step}) for step in range(1, 2 * MAX_BATCH_POINTS)]
    for point in points:
        news.hear(point)
    for attempt in range(20):
        batch = news.take()
        if attempt % 2:
            arrived += batch.curve
        else:
            news.put_back(batch)
    assert arrived == points
    assert news.is_empty


def test_of_too_long_a_curve_the_oldest_points_are_dropped() -> None:
    news = News()
    for step in range(MAX_KEPT_POINTS + 7):
        news.hear(CurvePoint(step=step, values={"loss": 0.5}))
    batch = news.take()
    assert batch.curve[0].step == 7
    for step in range(MAX_BATCH_POINTS):
        news.hear(CurvePoint(step=10**6 + step, values={"loss": 0.5}))
    news.put_back(batch)
    assert not news.is_empty
    kept = []
    while not news.is_empty:
        kept += news.take().curve
    assert len(kept) == MAX_KEPT_POINTS
    assert kept[-1].step == 10**6 + MAX_BATCH_POINTS - 1
