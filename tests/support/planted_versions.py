"""A served version without artifacts: for code that only looks at what it is."""

from uuid import UUID

from schemas.artifacts import ArtifactRef, GraphRef
from schemas.serving import ServedVersion

REF = ArtifactRef(digest="sha256:" + "0" * 64, size=0, media_type="x")


def planted_version(number: int, max_length: int = 64) -> ServedVersion:
    graph = GraphRef(
        base_graph=REF,
        adapter=REF,
        tokenizer=REF,
        base_digest=REF.digest,
        feature_recipe="mid-last-mean-v1",
        target_modules=(),
        labels=("a", "b"),
        max_length=max_length,
    )
    return ServedVersion(id=UUID(int=number), model="m", version=number, graph=graph)
