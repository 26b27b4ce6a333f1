"""Digests and artifacts by a name: equal names are equal bytes, and no two names share a digest."""

import hashlib

from schemas.artifacts import ArtifactRef, Digest


def digest(name: str) -> Digest:
    """SHA-256 of the name's own bytes."""
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def artifact(name: str, media_type: str = "application/octet-stream") -> ArtifactRef:
    """A reference to the name's own bytes, which no store has to hold."""
    return ArtifactRef(digest=digest(name), size=len(name.encode()), media_type=media_type)
