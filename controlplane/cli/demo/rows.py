"""Rows of a dataset version, read from the artifact store on this machine: the demo's traffic."""

from pathlib import Path

import pyarrow.parquet as parquet

from schemas.artifacts import ArtifactRef, DatasetManifest


def artifact_path(artifacts: Path, ref: ArtifactRef) -> Path:
    """Where the store keeps an artifact: `sha256/ab/abcd…`."""
    scheme, _, digest = ref.digest.partition(":")
    return artifacts / scheme / digest[:2] / digest


def read_rows(artifacts: Path, manifest: ArtifactRef, split: str) -> list[tuple[str, str]]:
    """(text, label) of every row of a split."""
    document = DatasetManifest.model_validate_json(artifact_path(artifacts, manifest).read_bytes())
    rows: list[tuple[str, str]] = []
    for part in document.parts:
        if part.split == split:
            table = parquet.read_table(artifact_path(artifacts, part.artifact), columns=["text", "label"])
            rows += zip(table["text"].to_pylist(), table["label"].to_pylist(), strict=True)
    return rows
