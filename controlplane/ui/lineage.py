"""What a version was made of as a picture that the server draws: boxes from left to right, each a link.

The API tells what a version was made of itself, and what else stands behind that, but not through which of them: what
is further back is joined by dashed lines to all that stands between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from markupsafe import Markup

from schemas.views.models import Ancestor, VersionDetail

BOX_WIDTH: Final = 224
BOX_HEIGHT: Final = 30
GAP: Final = 10
BETWEEN: Final = 72
"""From a column to the next one."""
EDGE: Final = 4
LETTERS: Final = 28
"""So many fit into a box; the name's middle is left out, its number never."""
LOWEST: Final = 180
"""The version itself stands no lower, so that it is seen where there are many."""
ROLE: Final = "group"
"""Not `img`, whose inside is nothing to a screen reader: the links would have a focus and no name."""
Kind = Literal["model", "dataset"]


@dataclass(frozen=True)
class _Box:
    name: str
    path: str
    kind: Kind
    x: int
    y: int

    @property
    def middle(self) -> int:
        return self.y + BOX_HEIGHT // 2


def graph(version: VersionDetail) -> Markup:
    """Nothing for a version that was made of nothing that is registered."""
    of = version.lineage
    made_of = {*of.parents, *of.datasets}
    known: list[tuple[Kind, Ancestor]] = [
        *(("model", one) for one in of.model_versions),
        *(("dataset", one) for one in of.dataset_versions),
    ]
    if not known:
        return Markup("")
    near = [one for one in known if one[1].id in made_of]
    far = [one for one in known if one[1].id not in made_of]
    left = [_column(far, 0)] if far else []
    columns = [*left, _column(near, len(left))]
    rows = max(map(len, columns))
    own = _Box(
        f"{version.model}/{version.version}",
        _path("model", version.model, version.version),
        "model",
        _x(len(columns)),
        min(EDGE + max(0, len(columns[-1]) - 1) * (BOX_HEIGHT + GAP) // 2, LOWEST),
    )
    parts = [_line(box, own, "made-of") for box in columns[-1]]
    if far:
        parts += _rail(columns[0], columns[1])
    parts += [_drawn(box) for column in columns for box in column]
    parts.append(_drawn(own, own=True))
    counts = f"{len(of.model_versions)} model and {len(of.dataset_versions)} dataset versions"
    title = f"What {own.name} was made of: {counts}"
    width, height = own.x + BOX_WIDTH + EDGE, 2 * EDGE + rows * (BOX_HEIGHT + GAP) - GAP
    return Markup(
        '<svg class="lineage" role="{}" aria-labelledby="lineage-title" width="{}" height="{}" viewBox="0 0 {} {}">'
        '<title id="lineage-title">{}</title>{}</svg>'
    ).format(ROLE, width, height, width, height, title, Markup("").join(parts))


def _column(ancestors: Sequence[tuple[Kind, Ancestor]], place: int) -> list[_Box]:
    return [
        _Box(
            f"{one.name}/{one.version}",
            _path(kind, one.name, one.version),
            kind,
            _x(place),
            EDGE + row * (BOX_HEIGHT + GAP),
        )
        for row, (kind, one) in enumerate(ancestors)
    ]


def _x(place: int) -> int:
    return EDGE + place * (BOX_WIDTH + BETWEEN)


def _path(kind: Kind, name: str, number: int) -> str:
    return f"/{kind}s/{quote(name, safe='')}/{number}"


def _drawn(box: _Box, *, own: bool = False) -> Markup:
    """Datasets have round corners, and say in words what they are too."""
    inside = Markup(
        '<title>{} version {}</title><rect x="{}" y="{}" width="{}" height="{}" rx="{}"/><text x="{}" y="{}">{}</text>'
    ).format(
        box.kind,
        box.name,
        box.x,
        box.y,
        BOX_WIDTH,
        BOX_HEIGHT,
        BOX_HEIGHT // 2 if box.kind == "dataset" else 3,
        box.x + 12,
        box.middle + 4,
        shortened(box.name),
    )
    kind = f"{box.kind} own" if own else box.kind
    return Markup('<a href="{}" class="{}">{}</a>').format(box.path, kind, inside)


def _line(begin: _Box, end: _Box, kind: str) -> Markup:
    """A curve from the right of one box to the left of another."""
    x1, x2 = begin.x + BOX_WIDTH, end.x
    bend = (x1 + x2) // 2
    return Markup('<path class="{}" d="M{} {}C{} {} {} {} {} {}"/>').format(
        kind, x1, begin.middle, bend, begin.middle, bend, end.middle, x2, end.middle
    )


def _rail(far: Sequence[_Box], near: Sequence[_Box]) -> list[Markup]:
    """One line for all: which of them goes through which is not known."""
    rail = far[0].x + BOX_WIDTH + BETWEEN // 2
    heights = [box.middle for box in (*far, *near)]
    stubs = [(box.x + BOX_WIDTH, rail, box.middle) for box in far] + [(rail, box.x, box.middle) for box in near]
    drawn = Markup('<path class="further" d="M{} {}L{} {}"/>')
    return [
        drawn.format(rail, min(heights), rail, max(heights)),
        *(drawn.format(x1, y, x2, y) for x1, x2, y in stubs),
    ]


def shortened(name: str) -> str:
    """What fits into a box, with the number whole."""
    if len(name) <= LETTERS:
        return name
    end = name[name.rindex("/") - 6 :]
    return f"{name[: LETTERS - len(end) - 1]}…{end}"
