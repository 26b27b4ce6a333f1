"""The artifact store: immutable bytes named by their own SHA-256, over fsspec."""

import shutil
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from schemas.artifacts import ArtifactRef
from workers.runtime.errors import ArtifactError
from workers.runtime.files import CHUNK, HashingWriter, discard_staged, publish, sha256_of, staged

MAX_DOCUMENT_BYTES = 64 << 20
"""Bytes of an artifact that is read in one piece, such as a dataset's manifest."""
ABANDONED_SECONDS = 86_400.0
"""Nobody pauses so long between two writes: whoever began that file was killed."""


class ArtifactStore:
    """Puts are atomic and idempotent; what is fetched has been checked against its digest.

    A local root is read in place; anything else is fetched once into `cache`.
    """

    def __init__(self, root_url: str, cache: Path) -> None:
        self.root_url = root_url
        self._cache = cache
        self._remote, self._root = _open_root(root_url)
        self._local = Path(self._root) if isinstance(self._remote, LocalFileSystem) else cache

    def sweep(self) -> None:
        """Remove the halves of files that killed processes have left."""
        for folder in {self._local, self._cache}:
            discard_staged(folder / "tmp", ABANDONED_SECONDS)

    def put_file(self, path: Path, media_type: str) -> ArtifactRef:
        with path.open("rb") as data:
            return self._put(data, media_type)

    def put_bytes(self, data: bytes, media_type: str) -> ArtifactRef:
        return self._put(BytesIO(data), media_type)

    def fetch(self, ref: ArtifactRef) -> Path:
        """A local file that holds exactly the referenced bytes: read it, never write to it."""
        path = self._local / ref.location
        if path.is_file() and sha256_of(path) == ref.digest:
            return path
        if self._local is not self._cache:
            state = "is damaged in" if path.is_file() else "is not in"
            raise ArtifactError(f"artifact {ref.digest} {state} the store {self.root_url}")
        self._download(ref, path)
        return path

    def read(self, ref: ArtifactRef) -> bytes:
        """A document: what must fit into memory."""
        path = self.fetch(ref)
        if (size := path.stat().st_size) > MAX_DOCUMENT_BYTES:
            raise ArtifactError(f"artifact {ref.digest} has {size} bytes, expected at most {MAX_DOCUMENT_BYTES}")
        return path.read_bytes()

    def _put(self, data: IO[bytes], media_type: str) -> ArtifactRef:
        with staged(self._local / "tmp") as (path, out):
            writer = HashingWriter(out)
            shutil.copyfileobj(data, writer, CHUNK)
            ref = ArtifactRef(digest=writer.digest, size=writer.size, media_type=media_type)
            # Also over an existing file: a damaged one is repaired, an intact one is replaced by its equal.
            publish(out, path, self._local / ref.location)
        if self._local is self._cache:
            self._upload(ref)
        return ref

    def _upload(self, ref: ArtifactRef) -> None:
        target = f"{self._root}/{ref.location}"
        try:
            if self._remote.exists(target) and self._remote.size(target) == ref.size:
                return
            # One PUT of an object store is all or nothing, so the final name needs no rename.
            self._remote.put_file(str(self._local / ref.location), target)
        except OSError as error:
            raise ArtifactError(f"cannot store {ref.digest} in {self.root_url}: {error}", retryable=True) from error

    def _download(self, ref: ArtifactRef, path: Path) -> None:
        with staged(self._cache / "tmp") as (temporary, out):
            writer = HashingWriter(out)
            try:
                with self._remote.open(f"{self._root}/{ref.location}", "rb") as data:
                    while writer.size <= ref.size and (chunk := data.read(CHUNK)):
                        writer.write(chunk)
            except FileNotFoundError as error:
                raise ArtifactError(f"artifact {ref.digest} is not in the store {self.root_url}") from error
            except OSError as error:
                raise ArtifactError(
                    f"cannot fetch {ref.digest} from {self.root_url}: {error}", retryable=True
                ) from error
            if writer.digest != ref.digest:
                raise ArtifactError(f"artifact {ref.digest} is damaged in the store {self.root_url}")
            publish(out, temporary, path)


def _open_root(root_url: str) -> tuple[Any, str]:
    try:
        filesystem, root = fsspec.core.url_to_fs(root_url)
    except (ImportError, ValueError) as error:
        raise ArtifactError(f"artifact store {root_url} cannot be opened: {error}") from error
    return filesystem, str(root).rstrip("/")
