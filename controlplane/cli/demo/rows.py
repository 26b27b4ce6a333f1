"""Rows of a dataset version, read from the artifact store on this machine: the demo's traffic."""

from pathlib import Path

from controlplane.cli.verbs.stored_rows import StoredRows
from schemas.artifacts import ArtifactRef


def read_rows(artifacts: Path, manifest: ArtifactRef, split: str) -> list[tuple[str, str]]:
    """(text, label) of every row of a split."""
    stored = StoredRows(artifacts.absolute().as_uri())
    rows = stored.rows(stored.manifest(manifest), (split,), ("text", "label"))
    return [(str(row["text"]), str(row["label"])) for row in rows]
