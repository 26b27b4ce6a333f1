"""Files that pages load: each under its own digest, with the integrity that a browser checks.

Ours are in `static/`. htmx comes in the wheel of django-htmx, by the same hashed lock as every other package; nothing
of it is imported.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

OURS: Final = Path(__file__).parent / "static"
HTMX: Final = "django_htmx/static/django_htmx"
MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    name: str
    body: bytes

    @property
    def path(self) -> str:
        return f"/assets/{hashlib.sha256(self.body).hexdigest()[:16]}/{self.name}"

    @property
    def integrity(self) -> str:
        return "sha384-" + base64.b64encode(hashlib.sha384(self.body).digest()).decode()

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[Path(self.name).suffix]


@cache
def all_assets() -> Mapping[str, Asset]:
    """By name."""
    return {asset.name: asset for asset in _read()}


def _read() -> Iterator[Asset]:
    for file in sorted(OURS.iterdir()):
        yield Asset(file.name, file.read_bytes())
    wheel = distribution("django-htmx")
    for name, inside in (("htmx.js", "htmx-4.min.js"), ("htmx-sse.js", "ext/hx-sse-4.min.js")):
        yield Asset(name, Path(str(wheel.locate_file(f"{HTMX}/{inside}"))).read_bytes())
