"""pypi:// URIs against a package index on this machine: fetched once, checked, and nothing built."""

import functools
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from workers.runtime.errors import SourceError
from workers.runtime.schemes import pypi
from workers.runtime.schemes.index import Index as AllowedIndex
from workers.runtime.schemes.listed import ListedSession
from workers.runtime.sources import Sources


@dataclass
class Index:
    """A package index on this machine, in the simple repository API's HTML form."""

    folder: Path
    url: str
    requests: list[str] = field(default_factory=list)

    def publish(self, project: str, filename: str, data: bytes, served: bytes | None = None) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        page = self.folder / "simple" / project
        page.mkdir(parents=True, exist_ok=True)
        (self.folder / filename).write_bytes(data if served is None else served)
        with (page / "index.html").open("a") as out:
            out.write(f'<a href="/{filename}#sha256={sha256}">{filename}</a>\n')
        return sha256


class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args: Any, index: Index, **kwargs: Any) -> None:
        self.index = index
        super().__init__(*args, directory=str(index.folder), **kwargs)

    def log_request(self, *_: object) -> None:
        self.index.requests.append(self.path)

    def log_error(self, *_: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "index", "")
    (index.folder / "simple").mkdir(parents=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, index=index))
    index.url = f"http://127.0.0.1:{server.server_port}/simple/"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield index
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def sources(tmp_path: Path, index: Index) -> Sources:
    files = tmp_path / "files"
    files.mkdir()
    return Sources(tmp_path / "cache", [files], AllowedIndex(["Demo_Data"], index.url))


def tar(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def wheel(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return sink.getvalue()


def test_a_folder_of_a_wheel_is_fetched_once(sources: Sources, index: Index) -> None:
    data = wheel({"demo/model/config.json": b"{}", "demo/model/deep/w.safetensors": b"w", "demo/__init__.py": b"boom"})
    sha256 = index.publish("demo-data", "demo_data-1.0-py3-none-any.whl", data)
    uri = f"pypi://demo.data==1.0#path=demo/model&sha256={sha256}"
    folder = sources.fetch(uri)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == [
        "config.json",
        "deep/w.safetensors",
    ]
    asked = list(index.requests)
    assert sources.fetch(uri) == folder
    assert index.requests == asked


def test_a_file_in_a_nested_archive_of_a_source_distribution_is_fetched(sources: Sources, index: Index) -> None:
    inner = tar({"set/movies.txt": b"1\t0.5\tgood\n", "set/other.txt": b""})
    data = tar({"demo_data-1.0/extra/inner.tar.gz": inner, "demo_data-1.0/setup.py": b"raise SystemExit('built!')"})
    sha256 = index.publish("demo-data", "demo_data-1.0.tar.gz", data)
    path = sources.fetch(f"pypi://demo-data==1.0#path=extra/inner.tar.gz!set/movies.txt&sha256={sha256}")
    assert path.read_bytes() == b"1\t0.5\tgood\n"
    assert path.name == "movies.txt"
    whole = sources.fetch(f"pypi://demo-data==1.0#path=extra/inner.tar.gz!&sha256={sha256}")
    assert len(list(whole.rglob("*.txt"))) == 2
    assert sum(request.endswith(".tar.gz") for request in index.requests) == 1


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("pypi://demo-data==1.0#path=a", "sha256 of the archive is mandatory"),
        ("pypi://demo-data==1.0", "sha256 of the archive is mandatory"),
        ("pypi://demo-data==1.0#path=a&sha256=xyz", "sha256 of the archive is mandatory"),
        ("pypi://demo-data#path=a&sha256=" + "0" * 64, "expected pypi://package==version"),
        ("pypi://demo-data==1.0#path=a&md5=1&sha256=" + "0" * 64, "unknown md5"),
        ("pypi://requests==1.0#path=a&sha256=" + "0" * 64, "'requests' is not allowed here; allowed: Demo_Data"),
        ("pypi://demo-data==1.0#path=a!b!c!d!e&sha256=" + "0" * 64, "nested"),
        ("pypi://demo-data==1.0#path=a&sha256=" + "0" * 64, "has no archive of demo-data==1.0 with sha256 000"),
    ],
)
def test_a_package_uri_that_is_not_allowed_is_refused(sources: Sources, index: Index, uri: str, message: str) -> None:
    index.publish("demo-data", "demo_data-1.0-py3-none-any.whl", wheel({"a": b"1"}))
    with pytest.raises(SourceError, match=message) as caught:
        sources.fetch(uri)
    assert not caught.value.retryable


def test_an_archive_that_was_damaged_after_its_download_is_fetched_again(
    sources: Sources, index: Index, tmp_path: Path
) -> None:
    sha256 = index.publish("demo-data", "demo_data-1.0-py3-none-any.whl", wheel({"a/x": b"1", "b/y": b"2"}))
    sources.fetch(f"pypi://demo-data==1.0#path=a&sha256={sha256}")
    (archive,) = (tmp_path / "cache").rglob("archive.whl")
    archive.chmod(0o600)
    archive.write_bytes(wheel({"a/x": b"evil", "b/y": b"evil"}))
    folder = sources.fetch(f"pypi://demo-data==1.0#path=b&sha256={sha256}")
    assert (folder / "y").read_bytes() == b"2"
    assert sum(request.endswith(".whl") for request in index.requests) == 2


def test_a_hash_of_another_version_is_refused(sources: Sources, index: Index) -> None:
    sha256 = index.publish("demo-data", "demo_data-2.0-py3-none-any.whl", wheel({"a": b"1"}))
    with pytest.raises(SourceError, match=r"is of version 2\.0, not 1\.0"):
        sources.fetch(f"pypi://demo-data==1.0#path=a&sha256={sha256}")


def test_bytes_that_are_not_what_the_index_said_are_refused_and_not_kept(
    sources: Sources, index: Index, tmp_path: Path
) -> None:
    sha256 = index.publish(
        "demo-data", "demo_data-1.0-py3-none-any.whl", wheel({"a": b"1"}), served=wheel({"a": b"evil"})
    )
    uri = f"pypi://demo-data==1.0#path=a&sha256={sha256}"
    with pytest.raises(SourceError, match=f"expected sha256:{sha256}"):
        sources.fetch(uri)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.name != "lock"]


def test_an_unsafe_archive_leaves_nothing_behind(sources: Sources, index: Index, tmp_path: Path) -> None:
    sha256 = index.publish("demo-data", "demo_data-1.0-py3-none-any.whl", wheel({"a/x": b"1", "a/../../y": b"2"}))
    uri = f"pypi://demo-data==1.0#path=a&sha256={sha256}"
    for _ in range(2):
        with pytest.raises(SourceError, match="leaves the archive"):
            sources.fetch(uri)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.name in ("x", "y")]


def test_a_path_that_climbs_out_of_its_archive_is_refused(sources: Sources, index: Index) -> None:
    sha256 = index.publish("demo-data", "demo_data-1.0-py3-none-any.whl", wheel({"a/x": b"1"}))
    with pytest.raises(SourceError, match="leaves the archive"):
        sources.fetch(f"pypi://demo-data==1.0#path=../../etc&sha256={sha256}")


def test_a_package_that_the_index_lacks_is_named(sources: Sources) -> None:
    with pytest.raises(SourceError, match="has no package 'demo-data'"):
        sources.fetch("pypi://demo-data==1.0#path=a&sha256=" + "0" * 64)


def test_an_index_that_does_not_answer_is_worth_another_try_and_its_password_is_not_told(tmp_path: Path) -> None:
    sources = Sources(tmp_path, [], AllowedIndex(["demo-data"], "http://user:secret@127.0.0.1:1/simple/"))
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1/simple/ did not answer") as caught:
        sources.fetch("pypi://demo-data==1.0#path=a&sha256=" + "0" * 64)
    assert caught.value.retryable
    assert "secret" not in str(caught.value)


def test_two_processes_worth_of_threads_fetch_one_package_once(sources: Sources, index: Index) -> None:
    sha256 = index.publish("demo-data", "demo_data-1.0-py3-none-any.whl", wheel({"a/x": b"1"}))
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(sources.fetch(f"pypi://demo-data==1.0#path=a/x&sha256={sha256}")))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() for path in found] == [b"1"] * 6
    assert sum(request.endswith(".whl") for request in index.requests) == 1


def test_the_index_is_the_installers(tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = http://files.example/simple\n")
    assert pypi.configured_index({"PIP_INDEX_URL": "http://a/", "UV_INDEX_URL": "http://b/"}) == "http://a/"
    assert pypi.configured_index({"UV_INDEX_URL": "http://b/"}) == "http://b/"
    assert pypi.configured_index({"PIP_CONFIG_FILE": str(config)}) == "http://files.example/simple"


def test_what_a_killed_fetch_left_behind_is_removed(sources: Sources, index: Index, tmp_path: Path) -> None:
    sha256 = index.publish("demo-data", "demo_data-1.0-py3-none-any.whl", wheel({"a/x": b"1"}))
    folder = tmp_path / "cache" / "pypi" / "demo-data-1.0" / sha256
    (folder / ".staged-1-a").mkdir(parents=True)
    (folder / ".staged-1-b").write_bytes(b"half")
    sources.fetch(f"pypi://demo-data==1.0#path=a/x&sha256={sha256}")
    assert not list(folder.glob(".staged-*"))


@pytest.fixture
def elsewhere() -> Iterator[Index]:
    """A host that nobody listed, and what was asked of it."""
    seen = Index(Path("/nonexistent"), "")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, index=seen))
    seen.url = f"http://127.0.0.1:{server.server_port}/latest/meta-data/x-1.0.tar.gz"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield seen
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    "to", ["here", "http://169.254.169.254/x-1.0.tar.gz", "ftp://files.pythonhosted.org/x-1.0.tar.gz"]
)
def test_an_index_page_leads_to_no_host_that_is_not_listed(
    sources: Sources, index: Index, elsewhere: Index, to: str
) -> None:
    sha256 = index.publish("demo-data", "demo_data-1.0.tar.gz", tar({"top/a": b"1"}))
    page = index.folder / "simple" / "demo-data" / "index.html"
    target = elsewhere.url if to == "here" else to
    page.write_text(f'<a href="{target}#sha256={sha256}">demo_data-1.0.tar.gz</a>')
    with pytest.raises(SourceError, match="none of its hosts"):
        sources.fetch(f"pypi://demo-data==1.0#path=a&sha256={sha256}")
    assert elsewhere.requests == []


def test_a_redirect_leads_to_no_host_that_is_not_listed(elsewhere: Index) -> None:
    class Redirecting(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("location", elsewhere.url)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        index_url = f"http://127.0.0.1:{server.server_port}/simple/"
        with ListedSession(index_url, ()) as session, pytest.raises(SourceError, match="none of its hosts"):
            session.get(index_url)
        server.shutdown()
        thread.join()
    assert elsewhere.requests == []
