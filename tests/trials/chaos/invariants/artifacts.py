"""Artifacts: whatever bears a digest as its name has it, and whatever is referred to is there."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlmodel import col, select

from controlplane.store.tables import AttachmentRow, BaseGraphRow, DatasetVersionRow, JobRow, ModelVersionRow
from schemas.phases import FINAL_JOB_PHASES
from tests.trials.chaos.invariants.view import View

STORE: Final = "sha256"
Stamp = tuple[int, int, int]


class Artifacts:
    """A file is hashed when it is new or has changed; a reference is looked up once it is new, and again every time."""

    def __init__(self) -> None:
        self._sound: dict[str, Stamp] = {}
        """Digest to the file's (inode, size, time) when it was hashed."""
        self._wanted: dict[str, str] = {}
        """Digest to who refers to it."""
        self._read: set[tuple[str, Any]] = set()

    def judge(self, view: View) -> Iterator[str]:
        root = view.site.artifacts / STORE
        yield from self._store(root)
        for owner, document in self._references(view):
            for digest in _digests(document):
                self._wanted.setdefault(digest, owner)
        for owner, digest in self._manifests(view):
            yield from self._parts(root, owner, digest)
        checkpoints = view.session.exec(select(JobRow.id, JobRow.checkpoint).where(_has_checkpoint()))
        now = {digest: f"the checkpoint of job {job}" for job, document in checkpoints for digest in _digests(document)}
        for digest, owner in (now | self._wanted).items():
            if not _path(root, digest).is_file():
                yield f"artifact {digest}: {owner} refers to it, and it is not in the store"

    def _store(self, root: Path) -> Iterator[str]:
        for path in root.glob("*/*"):
            try:
                found = path.stat()
                stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
                digest = f"sha256:{path.name}"
                if self._sound.get(digest) == stamp:
                    continue
                with path.open("rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
            except FileNotFoundError:  # replaced by its equal at this moment
                continue
            if content != path.name:
                yield f"artifact {digest}: the file of that name has other bytes ({found.st_size} of them)"
            self._sound[digest] = stamp

    def _references(self, view: View) -> Iterator[tuple[str, Any]]:
        """What rows that are new refer to, each with a name for it."""
        sources: tuple[tuple[str, Any, Any], ...] = (
            ("model version", select(ModelVersionRow.id, ModelVersionRow.adapter), ModelVersionRow.id),
            ("dataset version", select(DatasetVersionRow.id, DatasetVersionRow.manifest), DatasetVersionRow.id),
            ("rejects", select(DatasetVersionRow.id, DatasetVersionRow.rejects), DatasetVersionRow.id),
            ("attachment", select(AttachmentRow.id, AttachmentRow.data), AttachmentRow.id),
            ("base graph", select(BaseGraphRow.key, BaseGraphRow.artifact), BaseGraphRow.key),
            ("result of job", select(JobRow.id, JobRow.result).where(JobRow.phase == "Succeeded"), JobRow.id),
        )
        for name, query, key in sources:
            keys = view.session.execute(query.with_only_columns(key)).scalars()
            fresh = [one for one in keys if (name, one) not in self._read]
            if fresh:
                for identity, document in view.session.exec(query.where(key.in_(fresh))):
                    self._read.add((name, identity))
                    yield f"{name} {identity}", document

    def _manifests(self, view: View) -> Iterator[tuple[str, str]]:
        for identity, manifest in view.session.exec(select(DatasetVersionRow.id, DatasetVersionRow.manifest)):
            if ("parts", identity) not in self._read:
                self._read.add(("parts", identity))
                yield f"dataset version {identity}", manifest["digest"]

    def _parts(self, root: Path, owner: str, digest: str) -> Iterator[str]:
        path = _path(root, digest)
        if not path.is_file():
            return  # said by `judge`
        try:
            document = json.loads(path.read_bytes())
        except ValueError:
            yield f"artifact {digest}: the manifest of {owner} is no JSON"
            return
        for part in _digests(document):
            self._wanted.setdefault(part, f"the manifest of {owner}")


def _has_checkpoint() -> Any:
    """Whether a job has a checkpoint and may go on from it."""
    return col(JobRow.checkpoint).is_not(None) & col(JobRow.phase).not_in(sorted(FINAL_JOB_PHASES))


def _path(root: Path, digest: str) -> Path:
    name = digest.removeprefix("sha256:")
    return root / name[:2] / name


def _digests(document: Any) -> Iterator[str]:
    """The digest of every artifact reference in a JSON document, however deep."""
    if isinstance(document, dict):
        if {"digest", "size", "media_type"} <= document.keys():
            yield document["digest"]
        for value in document.values():
            yield from _digests(value)
    elif isinstance(document, list):
        for value in document:
            yield from _digests(value)
