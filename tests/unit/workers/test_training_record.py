"""What a training run leaves: a curve and a log that tell how it went, with an end, and of a private run neither."""

import json
import re

import pytest

from schemas.jobs.train import TrainResult
from tests.support.builders.rows import planted_rows
from tests.support.builders.specs import HEAD, lora
from tests.support.workbench import Workbench
from workers.train.handler import handle
from workers.train.record import CURVE_POINTS, LOG_LINES, TrainingRecord

STEP = re.compile(r"step (\d+)/(\d+), epoch (\d+)/(\d+): loss (\S+), learning rate (\S+)")


def recorded(workbench: Workbench, losses: list[float], epochs: int = 1, begin: int = 0) -> None:
    record = TrainingRecord(workbench.context(), begin + len(losses), epochs)
    for step, loss in enumerate(losses, begin + 1):
        record.hear(step, loss, 1 / step)


def lines(workbench: Workbench) -> list[tuple[str, ...]]:
    return [found.groups() for line in workbench.log if (found := STEP.fullmatch(line))]


def test_a_short_run_has_each_of_its_steps(workbench: Workbench) -> None:
    recorded(workbench, [0.7, 0.5, 0.2], epochs=3)
    assert [(point.step, point.values) for point in workbench.curve] == [
        (1, {"loss": 0.7, "learning_rate": 1.0}),
        (2, {"loss": 0.5, "learning_rate": 0.5}),
        (3, {"loss": 0.2, "learning_rate": pytest.approx(1 / 3)}),
    ]
    assert lines(workbench) == [
        ("1", "3", "1", "3", "0.7000", "1"),
        ("2", "3", "2", "3", "0.5000", "0.5"),
        ("3", "3", "3", "3", "0.2000", "0.333"),
    ]


@pytest.mark.parametrize("steps", [499, 500, 501, 10_007])
def test_a_long_run_has_an_end_and_each_point_is_the_mean_of_its_steps(workbench: Workbench, steps: int) -> None:
    losses = [float(step % 7) for step in range(1, steps + 1)]
    recorded(workbench, losses)
    curve = workbench.curve
    assert len(curve) <= CURVE_POINTS
    assert len(lines(workbench)) <= LOG_LINES
    assert curve[-1].step == steps
    before = 0
    for point in curve:
        share = losses[before : point.step]
        assert point.values["loss"] == pytest.approx(sum(share) / len(share))
        before = point.step


def test_a_resumed_run_has_its_points_at_the_same_steps(workbench: Workbench) -> None:
    whole = [0.5] * 2_000
    recorded(workbench, whole)
    expected = [point.step for point in workbench.curve if point.step > 1_003]
    workbench.reports.clear()
    recorded(workbench, whole[1_003:], begin=1_003)
    assert [point.step for point in workbench.curve] == expected


def test_a_job_leaves_a_curve_with_falling_loss_and_a_log_of_its_stages(workbench: Workbench) -> None:
    dataset = workbench.dataset(train=planted_rows(80), validation=planted_rows(40, seed=1))
    spec = workbench.train_spec(
        dataset, method=lora(r=2), epochs=6, batch_size=8, learning_rate=1e-2, warmup_ratio=0.1, checkpoint_steps=25
    )
    result = handle(spec, workbench.context())
    curve = [point for point in workbench.curve if "loss" in point.values]
    assert [point.step for point in curve] == list(range(1, result.steps + 1))
    losses = [point.values["loss"] for point in curve]
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    rates = [point.values["learning_rate"] for point in curve]
    assert max(rates) == pytest.approx(1e-2)
    assert 0 < rates[-1] < rates[0] < max(rates)
    assert workbench.curve[-1].step == result.steps
    assert workbench.curve[-1].values == {"validation_accuracy": result.validation_accuracy}
    told = "\n".join(workbench.log)
    for words in (
        "reading the base model", "reading the train rows of reviews/1", "80 rows to train on of 80, 2 labels",
        "6 epochs, batches of 8, learning rate 0.01, warm-up 10%", "checkpoint at step 25",
        f"step {result.steps}/{result.steps}, epoch 6/6: loss",
        f"validation accuracy {result.validation_accuracy:.4f} on 40 rows", "storing the adapter",
    ):  # fmt: skip
        assert words in told, words


def test_a_log_holds_no_text_of_a_row(workbench: Workbench) -> None:
    rows = [(f"xylophone {text}", label) for text, label in planted_rows(40)]
    handle(workbench.train_spec(workbench.dataset(train=rows, validation=rows), epochs=1), workbench.context())
    assert workbench.log
    assert "xylophone" not in repr(workbench.reports)


def private(workbench: Workbench) -> TrainResult:
    dataset = workbench.dataset(train=planted_rows(40), validation=planted_rows(20, seed=1))
    spec = workbench.train_spec(dataset, method=HEAD, privacy={"epsilon": 8, "delta": 1e-5, "steps": 7})
    return handle(spec, workbench.context())


def test_a_private_run_leaves_no_number_that_was_measured(workbench: Workbench) -> None:
    """All numbers of its log and progress are counted rows and steps, or follow from the spec."""
    result = private(workbench)
    assert not workbench.curve
    assert all(not report.metrics for report in workbench.progress)
    label = result.privacy
    assert label is not None
    rows_and_spec = {"1", "2", "40", "7", "8", "1e-05"}
    allowed = rows_and_spec | {f"{label.noise_multiplier:.4g}", f"{label.epsilon:.4g}"}
    lines = [line for line in workbench.log if not line.startswith("noise is")]  # it follows from the same
    assert set(re.findall(r"(?<![\w.])\d[\d.]*(?:e[+-]?\d+)?", "\n".join(lines))) <= allowed
    assert not any(word in json.dumps(workbench.log) for word in ("loss", "validation", "learning rate"))


def test_a_private_run_says_why_there_is_no_curve(workbench: Workbench) -> None:
    private(workbench)
    assert any("no curve is kept" in line for line in workbench.log)
