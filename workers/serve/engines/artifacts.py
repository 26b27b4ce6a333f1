"""Where an engine gets a version's files from."""

from pathlib import Path
from typing import Protocol

from schemas.artifacts import ArtifactRef


class Artifacts(Protocol):
    """What `workers.runtime.artifacts.ArtifactStore` does."""

    def fetch(self, ref: ArtifactRef) -> Path: ...
