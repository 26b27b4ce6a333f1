"""file:// sources: paths under the folders that the operator allowed, whatever links lead out of them."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from workers.runtime.errors import SourceError


def fetch(uri: str, roots: Sequence[Path]) -> Path:
    parts = urlsplit(uri)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or not path.startswith("/") or "\0" in path or parts.query:
        raise SourceError(f"uri {uri!r}: expected file:///absolute/path")
    allowed = [root.resolve() for root in roots]
    # Allowed first, existence second: an answer must not tell what lies outside the roots.
    resolved = _allowed(Path(path).resolve(), allowed, uri)
    if resolved.is_dir():
        for inside in resolved.rglob("*"):
            _allowed(inside.resolve(), allowed, uri)
    elif not resolved.is_file():
        raise SourceError(f"uri {uri!r}: there is no such file or folder")
    return resolved


def _allowed(path: Path, roots: Sequence[Path], uri: str) -> Path:
    if not any(path.is_relative_to(root) for root in roots):
        names = ", ".join(str(root) for root in roots) or "none"
        raise SourceError(f"uri {uri!r} leads outside the allowed folders: {names} (GRAFTWORK_FILE_ROOTS)")
    return path
