"""Curves in plain text: their shape, their numbers, and how much of them is shown."""

import pytest

from controlplane.cli.verbs.curves import BARS, MOST_COLUMNS, ROWS, picture, points, sparkline
from schemas.views.jobs import Curve


def curve(name: str, values: list[float], first: int = 1) -> Curve:
    return Curve(name=name, steps=list(range(first, first + len(values))), values=values)


@pytest.mark.parametrize(
    ("values", "columns", "drawn"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], 60, BARS),
        ([7.0, 0.0], 60, "█▁"),
        ([3.0, 3.0, 3.0], 60, "▁▁▁"),
        ([0.0, 0.0, 7.0, 7.0], 2, "▁█"),
        ([5.0], 60, "▁"),
    ],
    ids=["rising", "falling", "flat", "means", "one"],
)
def test_the_tallest_bar_is_the_greatest_mean(values: list[float], columns: int, drawn: str) -> None:
    assert sparkline(values, columns) == drawn


@pytest.mark.parametrize("width", [None, 40, 80, 120])
def test_a_picture_fits_and_says_first_last_and_least(width: int | None) -> None:
    values = [1 / step for step in range(1, 1_001)] + [0.5]
    head, bars, *_ = picture(curve("loss", values), width).splitlines()
    assert head == "loss: 1 to 0.5, least 0.001 at step 1,000"
    assert len(bars) == min(width or MOST_COLUMNS, MOST_COLUMNS)
    assert bars[0] == BARS[-1]


def test_a_table_has_the_first_and_the_last_point_and_some_between() -> None:
    rows = points([curve("loss", [float(n) for n in range(500)]), curve("validation_accuracy", [0.9], first=500)])
    assert len(rows) == ROWS
    assert rows[0] == {"step": 1, "loss": 0.0}
    assert rows[-1] == {"step": 500, "loss": 499.0, "validation_accuracy": 0.9}
    assert [row["step"] for row in rows] == sorted({row["step"] for row in rows})


def test_of_few_points_the_table_has_all() -> None:
    assert [row["step"] for row in points([curve("loss", [1.0, 0.5, 0.2])])] == [1, 2, 3]


def test_one_point_is_no_curve() -> None:
    assert picture(curve("validation_accuracy", [0.824], first=125), 80) == "validation_accuracy: 0.824 at step 125\n"
