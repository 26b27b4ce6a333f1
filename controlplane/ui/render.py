"""Pages as HTML: templates that escape everything, and one block of them by itself for a live fragment."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from controlplane.domain.analysis.verdict import e_value
from controlplane.domain.roles import MAY
from controlplane.ui import charts, lineage
from controlplane.ui.assets import all_assets
from controlplane.ui.page import Page
from schemas.roles import Role

TEMPLATES: Final = Path(__file__).parent / "templates"
MACROS: Final = "macros.html"
GOOD: Final = frozenset({"Promoted", "Succeeded", "SAFE", "VALID", "ADVANCE", "PROMOTE", "Replayed", "fired"})
BAD: Final = frozenset({"RolledBack", "Failed", "HARM", "INVALID", "Open", "invalid", "loop"})
WAITING: Final = frozenset({"Paused", "Queued", "INCONCLUSIVE", "Waiting", "Pending", "debouncing", "deferred"})


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "moment": moment,
        "share": share,
        "tone": tone,
        "e_value": e_value,
        "short": short,
        "as_json": as_json,
        "bytes": size,
        "timestamp": datetime.timestamp,
    }
    made.globals |= {
        "assets": all_assets(),
        "curve": charts.curve,
        "lineage": lineage.graph,
        "Line": charts.Line,
        "Threshold": charts.Threshold,
        "may": may,
        "standalone": False,
        "roles": MAY,
    }
    return made


def whole(name: str, context: Mapping[str, Any]) -> str:
    return environment().get_template(name).render(_with_macros(context))


def fragments(page: Page, context: Mapping[str, Any]) -> dict[str, str]:
    """The live blocks of a page by name, each as it stands in the whole."""
    template = environment().get_template(page.template)
    made = template.new_context(_with_macros(context))
    return {name: "".join(template.blocks[name.replace("-", "_")](made)) for name in page.fragments}


def _with_macros(context: Mapping[str, Any]) -> dict[str, Any]:
    """What templates have in common is `m`, in a block by itself too."""
    return {**context, "m": environment().get_template(MACROS).make_module(dict(context))}


def may(acts_as: list[Role], needed: Role) -> bool:
    return needed in acts_as


# --- filters ----------------------------------------------------------------------------------------------------------


def moment(at: datetime | None) -> str:
    """In UTC, to the second, as the command line writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def share(part: float) -> str:
    return f"{part:.4g}" if 0 < part < 0.0001 else f"{part * 100:.3g} %"


def tone(word: str | None) -> str:
    """How a phase or a verdict is coloured; the word itself always stands there too."""
    return "good" if word in GOOD else "bad" if word in BAD else "waiting" if word in WAITING else "plain"


def short(identity: object) -> str:
    """The beginning of an id, which every verb takes too."""
    return str(identity)[:8]


def as_json(value: Any) -> str:
    """A setting as its file would say it, in one line."""
    return json.dumps(value, ensure_ascii=False, default=str)


def size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.1f} kB"
