"""Curves that the server draws."""

import re

from controlplane.ui.charts import HEIGHT, WIDTH, Line, Threshold, curve


def drawn(svg: str) -> list[list[tuple[float, float]]]:
    return [
        [tuple(map(float, pair.split(","))) for pair in points.split()]  # type: ignore[misc]
        for points in re.findall(r'points="([^"]*)"', svg)
    ]


def test_a_curve_goes_from_left_to_right_and_up_with_its_values() -> None:
    [points] = drawn(curve("losses", [1, 2, 3], [Line("loss", [0.0, 1.0, 5.0], "safe")]))
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


def test_a_threshold_above_the_curve_is_in_the_picture() -> None:
    svg = curve("evidence", [0, 1], [Line("harm", [0.0, 1.0], "harm")], [Threshold("HARM", 4.0, "harm")])
    [threshold] = re.findall(r'class="threshold harm"[^>]*y1="([^"]*)"', svg)
    assert 0 <= float(threshold) < min(y for _, y in drawn(svg)[0])


def test_values_below_zero_and_one_point_alone_are_drawn() -> None:
    [points] = drawn(curve("evidence", [5], [Line("safe", [-3.0], "safe")]))
    assert len(points) == 1
    assert 0 <= points[0][1] <= HEIGHT


def test_a_name_is_text() -> None:
    assert "<script>" not in curve("<script>", [0, 1], [Line("<script>", [0.0, 1.0], '"><script>')])


def test_of_nothing_there_is_no_picture() -> None:
    assert curve("nothing", [], []) == ""
