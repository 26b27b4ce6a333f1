"""What an evaluation of any task finds: measurements, and what became of each row."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.artifacts import ArtifactRef
from schemas.evidence import Measurement
from workers.data.rows import Row, canonical_of, row_digest
from workers.runtime.artifacts import ArtifactStore

Outcome = Mapping[str, float]
"""What became of one row, by the names of what was looked at; true and false are numbers, too."""


@dataclass(frozen=True)
class Found:
    measurements: tuple[Measurement, ...]
    outcomes: Sequence[Outcome]
    """In the order of the rows."""


def keep(rows: Sequence[Row], outcomes: Sequence[Outcome], artifacts: ArtifactStore) -> ArtifactRef:
    """JSONL by the digests of rows: who has the rows can tell which line is whose."""
    digests = [row_digest(*canonical_of(row)) for row in rows]
    lines = sorted(json.dumps({"row": row, **outcome}) + "\n" for row, outcome in zip(digests, outcomes, strict=True))
    return artifacts.put_bytes("".join(lines).encode(), "application/jsonl")
