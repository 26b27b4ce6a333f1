"""Whole dataset versions in an artifact store."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid5

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.artifacts import SPLITS, ArtifactRef, DatasetRef
from schemas.data.manifest import DatasetManifest, DatasetPart
from tests.support.builders.datasets import DATASET, dataset_ref, manifest, part
from tests.support.builders.rows import Row
from workers.data.parts import write_parts
from workers.data.rows import Messages, PromptCompletion, schema_of
from workers.runtime.artifacts import ArtifactStore

PARQUET: Final = "application/vnd.apache.parquet"


def store_manifest(store: ArtifactStore, document: DatasetManifest) -> ArtifactRef:
    return store.put_bytes(document.model_dump_json().encode(), "application/json")


def store_parts(
    store: ArtifactStore, parts: Iterable[DatasetPart], dataset: str = "reviews", **said: Any
) -> DatasetRef:
    """A dataset version of parts that lie in the store."""
    document = manifest(parts, **said)
    ref = store_manifest(store, document)
    identity = uuid5(DATASET, f"{dataset} {ref.digest}")
    return dataset_ref(dataset, id=identity, row_schema=document.row_schema, digest=document.digest, manifest=ref)


def store_dataset(
    store: ArtifactStore, splits: Mapping[str, Sequence[Row]], dataset: str = "reviews", **said: Any
) -> DatasetRef:
    """A dataset version with its rows, one Parquet part a split."""
    parts = [part(split, len(rows), store.put_bytes(parquet(rows), PARQUET)) for split, rows in splits.items()]
    return store_parts(store, parts, dataset, **said)


def store_rows(
    store: ArtifactStore,
    workdir: Path,
    splits: Mapping[str, Sequence[PromptCompletion | Messages]],
    dataset: str,
    **said: Any,
) -> DatasetRef:
    """A dataset version of prompts with completions, or of conversations."""
    schema = schema_of(next(row for rows in splits.values() for row in rows))
    parts = write_parts({split: splits.get(split, ()) for split in SPLITS}, schema, store, workdir)
    return store_parts(store, parts, dataset, row_schema=schema.name, columns=schema.stored, labels=(), **said)


def parquet(rows: Sequence[Row]) -> bytes:
    """Texts and labels, as a part of a dataset version has them."""
    schema = pa.schema([("text", pa.string()), ("label", pa.string())])
    table = pa.table([[text for text, _ in rows], [label for _, label in rows]], schema=schema)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    written: bytes = sink.getvalue().to_pybytes()
    return written
