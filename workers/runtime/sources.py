"""Where models and rows come from: one local, verified, cached path for each source URI."""

from collections.abc import Sequence
from pathlib import Path


class Sources:
    """Fetches source URIs; what is not allowed or not what its hash says is refused."""

    def __init__(
        self,
        cache: Path,
        file_roots: Sequence[Path] = (),
        pypi_packages: Sequence[str] = (),
        pypi_index_url: str | None = None,
    ) -> None:
        self.cache = cache
        self.file_roots = tuple(file_roots)
        self.pypi_packages = tuple(pypi_packages)
        self.pypi_index_url = pypi_index_url

    def fetch(self, uri: str) -> Path:
        raise NotImplementedError(uri)
