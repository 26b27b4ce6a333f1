"""Curves as SVG that the server draws: no script, printable, and always beside a table of the same numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

WIDTH: Final = 640
HEIGHT: Final = 180
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 10, 26


@dataclass(frozen=True)
class Line:
    """One curve, with the class that colours and dashes it."""

    name: str
    values: Sequence[float]
    kind: str


@dataclass(frozen=True)
class Threshold:
    name: str
    value: float
    kind: str


def curve(title: str, at: Sequence[float], lines: Sequence[Line], thresholds: Sequence[Threshold] = ()) -> Markup:
    """`at`: where each value stands, such as seconds. `title` is what the picture is called for who cannot see it."""
    values = [value for line in lines for value in line.values] + [one.value for one in thresholds]
    if not at or not values:
        return Markup("")
    scale = _Scale(min(at), max(at), min(0.0, *values), max(*values, 1e-9))
    parts = [_grid(scale)]
    parts += [_threshold(scale, one) for one in thresholds]
    parts += [_line(scale, at, one) for one in lines]
    inside = Markup("").join(parts)
    return Markup(
        '<svg class="curve" role="img" viewBox="0 0 {} {}" preserveAspectRatio="none"><title>{}</title>{}</svg>'
    ).format(WIDTH, HEIGHT, title, inside)


@dataclass(frozen=True)
class _Scale:
    first: float
    last: float
    low: float
    high: float

    def x(self, at: float) -> float:
        span = self.last - self.first
        return round(LEFT + (WIDTH - LEFT - RIGHT) * ((at - self.first) / span if span else 0.5), 1)

    def y(self, value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - self.low) / (self.high - self.low)), 1)


def _grid(scale: _Scale) -> Markup:
    zero = scale.y(0.0)
    return Markup('<line class="axis" x1="{}" y1="{}" x2="{}" y2="{}"/><text x="4" y="{}">{}</text>').format(
        LEFT, zero, WIDTH - RIGHT, zero, zero + 4, "0"
    )


def _threshold(scale: _Scale, one: Threshold) -> Markup:
    y = scale.y(one.value)
    return Markup('<line class="threshold {}" x1="{}" y1="{}" x2="{}" y2="{}"/><text x="4" y="{}">{}</text>').format(
        one.kind, LEFT, y, WIDTH - RIGHT, y, y + 4, one.name
    )


def _line(scale: _Scale, at: Sequence[float], line: Line) -> Markup:
    points = " ".join(f"{scale.x(x)},{scale.y(y)}" for x, y in zip(at, line.values, strict=True))
    return Markup('<polyline class="line {}" points="{}"><title>{}</title></polyline>').format(
        line.kind, points, line.name
    )
