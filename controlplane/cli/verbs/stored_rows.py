"""Rows of dataset versions, read from the artifact store with the access of the person at the keyboard.

They are private text, and no API hands them out: whoever may read the store's files may read them here, nobody else.
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from typing import Any

from controlplane.errors import GraftworkError
from schemas.artifacts import SPLITS, ArtifactRef
from schemas.data.manifest import DatasetManifest
from schemas.data.rows import ROW_SCHEMAS

Row = dict[str, Any]


def shown(manifest: DatasetManifest) -> tuple[str, ...]:
    """The columns of its rows, as people are shown them."""
    return ROW_SCHEMAS[manifest.row_schema].shown


class StoredRows:
    """Reads manifests and rows from one artifact store. What is read has been checked against its digest."""

    def __init__(self, artifacts_url: str) -> None:
        self._url = artifacts_url.rstrip("/")

    def manifest(self, ref: ArtifactRef) -> DatasetManifest:
        return DatasetManifest.model_validate_json(self._read(ref))

    def rows(
        self, manifest: DatasetManifest, splits: Collection[str] = SPLITS, columns: Collection[str] = ()
    ) -> Iterator[Row]:
        """As they are stored, one part in memory at a time; `split` stands beside the columns. None named: all."""
        for part in manifest.parts:
            if part.split in splits:
                for row in self._table(part.artifact, columns or shown(manifest)).to_pylist():
                    yield {"split": part.split, **row}

    def rejects(self, ref: ArtifactRef) -> Iterator[dict[str, Any]]:
        """Where each rejected row stands and why it was left out, as they were found; no text is kept."""
        return map(json.loads, self._read(ref).splitlines())

    def _table(self, ref: ArtifactRef, columns: Collection[str]) -> Any:
        try:
            from pyarrow import BufferReader
            from pyarrow.parquet import ParquetFile
        except ImportError as error:
            raise GraftworkError("rows are Parquet: to read them, install graftwork[worker]") from error
        # No thread of Arrow's: one that is still starting when a short command ends would abort it.
        with ParquetFile(BufferReader(self._read(ref)), pre_buffer=False) as file:
            return file.read(columns=list(columns), use_threads=False)

    def _read(self, ref: ArtifactRef) -> bytes:
        location = f"{self._url}/{ref.location}"
        try:
            data = _bytes_of(location)
        except ImportError as error:
            raise GraftworkError(f"{location} cannot be read: {error}") from error
        except (OSError, ValueError) as error:
            raise GraftworkError(
                f"{location} cannot be read: {type(error).__name__}; expected the store that the workers write to, "
                "named by --home or GRAFTWORK_ARTIFACTS_URL, and access to its files"
            ) from error
        if "sha256:" + hashlib.sha256(data).hexdigest() != ref.digest:
            raise GraftworkError(f"{location} is damaged: its bytes do not have the digest in its name")
        return data


def _bytes_of(location: str) -> bytes:
    import fsspec  # here: no other verb of the noun needs it

    with fsspec.open(location, "rb") as opened:
        data: bytes = opened.read()
    return data
