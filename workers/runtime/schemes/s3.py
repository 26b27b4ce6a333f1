"""s3:// sources: an object, or all objects below a prefix, fetched once per version of them."""

import hashlib
from pathlib import Path
from typing import Any

import fsspec

from workers.runtime.errors import SourceError
from workers.runtime.files import discard_staged, locked, publish_folder

MAX_OBJECTS = 10_000
"""Below one prefix."""
MAX_BYTES = 16 << 30
"""Bytes of all objects below one prefix."""


def fetch(uri: str, cache: Path) -> Path:
    location = uri.partition("#")[0]
    try:
        filesystem, path = fsspec.core.url_to_fs(location)
    except ImportError as error:
        raise SourceError(f"uri {uri!r} needs the package s3fs, which is not installed here") from error
    return fetch_objects(filesystem, str(path), location, cache)


def fetch_objects(filesystem: Any, path: str, uri: str, cache: Path) -> Path:
    """From any fsspec file system. An object that changed at its origin is another cache entry."""
    try:
        info = filesystem.info(path)
        files = filesystem.find(path, detail=True) if info["type"] == "directory" else {path: info}
        _check_amount(files, uri)
        version = hashlib.sha256(repr(sorted((name, _stamp(files[name])) for name in files)).encode()).hexdigest()
        target = cache / "s3" / hashlib.sha256(uri.encode()).hexdigest() / version
        with locked(target.parent / "lock"):
            discard_staged(target.parent)
            if not target.exists():
                with publish_folder(target) as folder:
                    for name in files:
                        _get(filesystem, name, folder / _name(name, path))
    except FileNotFoundError as error:
        raise SourceError(f"uri {uri!r}: there is no such object or prefix") from error
    except OSError as error:
        raise SourceError(f"uri {uri!r} cannot be read: {error}", retryable=True) from error
    return target if info["type"] == "directory" else target / _name(path, path)


def _check_amount(files: dict[str, Any], uri: str) -> None:
    size = sum(int(info.get("size") or 0) for info in files.values())
    if len(files) > MAX_OBJECTS or size > MAX_BYTES:
        raise SourceError(
            f"uri {uri!r} names {len(files)} objects of {size} bytes, expected at most {MAX_OBJECTS} of {MAX_BYTES}"
        )


def _stamp(info: dict[str, Any]) -> tuple[str, str, int]:
    changed = info.get("LastModified") or info.get("mtime") or info.get("created")
    return str(info.get("ETag", "")), str(changed), int(info.get("size") or 0)


def _name(name: str, base: str) -> Path:
    relative = Path(name).name if name == base else name.removeprefix(base.rstrip("/") + "/")
    if ".." in Path(relative).parts or Path(relative).is_absolute() or "\0" in relative or not Path(relative).name:
        raise SourceError(f"object {name!r} has a name that leads outside its prefix")
    return Path(relative)


def _get(filesystem: Any, name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    filesystem.get_file(name, str(target))
    target.chmod(0o400)
