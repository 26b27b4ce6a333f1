"""Rows of a dataset version, read from the artifact store on this machine: the demo's traffic."""

from pathlib import Path

from controlplane.cli.verbs.stored_rows import StoredRows
from schemas.artifacts import ArtifactRef


def read_rows(
    artifacts: Path, manifest: ArtifactRef, split: str, columns: tuple[str, str] = ("text", "label")
) -> list[tuple[str, str]]:
    """These two columns of every row of a split."""
    stored = StoredRows(artifacts.absolute().as_uri())
    asked, right = columns
    return [(str(row[asked]), str(row[right])) for row in stored.rows(stored.manifest(manifest), (split,), columns)]
