"""A picture of simulated rows as SVG, by hand: false rollbacks of healthy canaries, and how soon a bad one is caught.

It has no background and takes its text colours from the reader's scheme, so that it can be read in dark and in light.
"""

from collections.abc import Iterator, Sequence
from html import escape
from math import log10
from typing import Final, NamedTuple

from controlplane.simulation.report import OURS, Row

WIDTH, HEIGHT = 920, 400
CAUGHT: Final = "errors-1-to-5"
"""The scenario whose detection is drawn."""
BOUND_PERCENT: Final = 4
FIRST, LAST = 10, 100_000
"""Canary requests on the logarithmic axis."""


class Line(NamedTuple):
    name: str
    color: str
    dashes: str


LINES: Final[dict[str, Line]] = {
    OURS: Line("Graftwork", "#2f81f7", ""),
    "argo": Line("Argo-style, as documented", "#db6d28", ""),
    "argo-tuned": Line("Argo-style, tuned", "#db6d28", "5 4"),
    "flagger": Line("Flagger-style, as documented", "#a371f7", ""),
    "flagger-tuned": Line("Flagger-style, tuned", "#a371f7", "5 4"),
    "z-test": Line("z-test at every tick", "#6e9f4f", ""),
    "z-corrected": Line("z-test, corrected", "#6e9f4f", "5 4"),
}
STYLE: Final = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#24292f}"
    ".title{font-size:14px;font-weight:600}.quiet{fill:#57606a}.axis{stroke:#8c959f;stroke-opacity:.5}"
    ".bound{stroke:#cf222e;stroke-dasharray:3 3}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9da7b3}}"
)


class Frame(NamedTuple):
    """Where one panel's axes lie."""

    left: float
    top: float
    width: float
    height: float

    def x(self, share: float) -> float:
        return self.left + share * self.width

    def y(self, share: float) -> float:
        return self.top + (1 - share) * self.height


HEALTHY_FRAME: Final = Frame(200, 70, 250, 250)
CAUGHT_FRAME: Final = Frame(520, 70, 370, 250)


def draw(rows: Sequence[Row]) -> str:
    """The whole SVG document."""
    body = "\n".join([*_healthy(rows), *_caught(rows)])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="False rollbacks of healthy canaries, and detection of a bad one">\n'
        f"<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def _healthy(rows: Sequence[Row]) -> Iterator[str]:
    frame = HEALTHY_FRAME
    worlds = len({row.scenario for row in rows if row.kind == "healthy"})
    runs = max((row.runs for row in rows), default=0)
    yield _text(20, 28, "Healthy canaries rolled back", "title")
    yield _text(20, 48, f"a dot is one of {worlds} healthy worlds, {runs:,} rollouts each", "quiet")
    for percent in (0, 25, 50, 75, 100):
        x = frame.x(percent / 100)
        yield _line(x, frame.top, x, frame.top + frame.height, "axis")
        yield _text(x, frame.top + frame.height + 18, f"{percent} %", "quiet", "middle")
    x = frame.x(BOUND_PERCENT / 100)
    yield _line(x, frame.top, x, frame.top + frame.height, "bound")
    yield _text(x, frame.top - 6, f"our bound: {BOUND_PERCENT} %", "quiet", "start")
    for place, (contender, line) in enumerate(LINES.items()):
        y = frame.top + (place + 0.5) * frame.height / len(LINES)
        yield _text(frame.left - 12, y + 4, line.name, "", "end")
        for row in rows:
            if row.contender == contender and row.kind == "healthy":
                yield _dot(frame.x(row.results["HARM"].share), y, line.color)


def _caught(rows: Sequence[Row]) -> Iterator[str]:
    frame = CAUGHT_FRAME
    yield _text(frame.left - 30, 28, "A canary whose errors rise from 1 % to 5 %", "title")
    yield _text(frame.left - 30, 48, "rolled back within so many canary requests", "quiet")
    for percent in (0, 25, 50, 75, 100):
        y = frame.y(percent / 100)
        yield _line(frame.left, y, frame.left + frame.width, y, "axis")
        yield _text(frame.left - 6, y + 4, f"{percent} %", "quiet", "end")
    for units in (10, 100, 1000, 10_000, LAST):
        yield _text(frame.x(_along(units)), frame.top + frame.height + 18, f"{units:,}", "quiet", "middle")
    drawn = [row for row in rows if row.scenario == CAUGHT and row.curve]
    for row in drawn:
        yield _curve(row, LINES[row.contender])
    for place, (_, line) in enumerate(LINES.items()):
        yield from _key(place, line)


def _key(place: int, line: Line) -> Iterator[str]:
    """The legend, in four columns below both panels."""
    x, y = 20 + 225 * (place % 4), HEIGHT - 40 + 20 * (place // 4)
    dashes = f' stroke-dasharray="{line.dashes}"' if line.dashes else ""
    yield f'<path d="M{x} {y}h26" stroke="{line.color}" stroke-width="2.5"{dashes}/>'
    yield _text(x + 32, y + 4, line.name, "")


def _curve(row: Row, line: Line) -> str:
    """A staircase: nothing is caught between two points."""
    frame, path, before = CAUGHT_FRAME, [f"M{CAUGHT_FRAME.left:.1f} {CAUGHT_FRAME.y(0):.1f}"], 0.0
    for units, share in row.curve:
        x = frame.x(_along(units))
        path.append(f"L{x:.1f} {frame.y(before):.1f}L{x:.1f} {frame.y(share):.1f}")
        before = share
    path.append(f"L{frame.x(1):.1f} {frame.y(before):.1f}")
    dashes = f' stroke-dasharray="{line.dashes}"' if line.dashes else ""
    width = 3 if row.contender == OURS else 2
    return f'<path d="{"".join(path)}" fill="none" stroke="{line.color}" stroke-width="{width}"{dashes}/>'


def _along(units: float) -> float:
    share = (log10(max(units, FIRST)) - log10(FIRST)) / (log10(LAST) - log10(FIRST))
    return min(share, 1.0)


def _text(x: float, y: float, words: str, style: str, anchor: str = "start") -> str:
    named = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(words)}</text>'


def _line(left: float, top: float, right: float, bottom: float, style: str) -> str:
    return f'<line x1="{left:.1f}" y1="{top:.1f}" x2="{right:.1f}" y2="{bottom:.1f}" class="{style}"/>'


def _dot(x: float, y: float, color: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{color}" fill-opacity="0.45" stroke="{color}"/>'
