"""Where models and rows come from: one local, verified, cached path for each source URI."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from workers.runtime.errors import SourceError
from workers.runtime.files import locked, publish_folder, sha256_of
from workers.runtime.schemes import file
from workers.runtime.schemes.index import Index


class Sources:
    """Fetches source URIs: what is not allowed, or not what its hash says, is refused.

    A scheme's client is loaded with the first URI that needs it: together they take a second, and most jobs need none.
    """

    def __init__(self, cache: Path, file_roots: Sequence[Path] = (), index: Index | None = None) -> None:
        self._cache = cache
        self._file_roots = tuple(file_roots)
        self._index = index or Index()

    def fetch(self, uri: str) -> Path:
        """A local file or folder to read, never to write. `#sha256=…` after a single file is checked."""
        match uri.partition("://")[0]:
            case "pypi":
                from workers.runtime.schemes import pypi

                return pypi.fetch(uri, self._cache, self._index)
            case "file":
                return _checked(uri, file.fetch(uri, self._file_roots))
            case "s3":
                from workers.runtime.schemes import s3

                return _checked(uri, s3.fetch(uri, self._cache))
            case "hf":
                from workers.runtime.schemes import hf

                return _checked(uri, hf.fetch(uri, self._cache))
        raise SourceError(f"uri {uri!r}: expected file://, s3://, hf:// or pypi://")

    def derived(self, key: str, make: Callable[[Path], None]) -> Path:
        """A folder of the cache that `make` fills: once for each key, however many processes ask for it."""
        folder = self._cache / "derived" / key
        with locked(folder.parent / f"{key}.lock"):
            if not folder.exists():
                with publish_folder(folder) as target:
                    make(target)
        return folder


def _checked(uri: str, path: Path) -> Path:
    fragment = uri.partition("#")[2]
    if not fragment:
        return path
    match = re.fullmatch(r"sha256=([0-9a-f]{64})", fragment)
    if not match or not path.is_file():
        raise SourceError(f"uri {uri!r}: after `#` only sha256=<64 hexadecimal digits> of a single file may stand")
    digest = sha256_of(path)
    if digest != f"sha256:{match[1]}":
        raise SourceError(f"uri {uri!r}: the file has {digest}")
    return path
