"""Source URIs: what is fetched, what is cached, what is refused and with which words."""

import hashlib
from pathlib import Path

import fsspec
import pytest

from workers.runtime.errors import SourceError
from workers.runtime.schemes import hf, s3
from workers.runtime.sources import Sources


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    files = tmp_path / "files"
    files.mkdir()
    return Sources(tmp_path / "cache", [files])


# --- file ------------------------------------------------------------------------------------------------------------


def test_files_and_folders_below_an_allowed_root_are_fetched(sources: Sources, tmp_path: Path) -> None:
    path = tmp_path / "files" / "über reviews.csv"
    path.write_text("text,label\n")
    assert sources.fetch(path.as_uri()) == path
    assert sources.fetch((tmp_path / "files").as_uri()) == tmp_path / "files"
    sha256 = hashlib.sha256(b"text,label\n").hexdigest()
    assert sources.fetch(f"{path.as_uri()}#sha256={sha256}") == path
    with pytest.raises(SourceError, match="the file has sha256"):
        sources.fetch(f"{path.as_uri()}#sha256={'0' * 64}")
    with pytest.raises(SourceError, match="only sha256="):
        sources.fetch(f"{path.as_uri()}#md5=1")


@pytest.mark.parametrize("path", ["../outside.csv", "%2e%2e/outside.csv", "link.csv", "folder", "../../../etc/passwd"])
def test_a_path_that_leads_outside_the_roots_is_refused(sources: Sources, tmp_path: Path, path: str) -> None:
    (tmp_path / "outside.csv").write_text("secret")
    (tmp_path / "files" / "link.csv").symlink_to(tmp_path / "outside.csv")
    (tmp_path / "files" / "folder").mkdir()
    (tmp_path / "files" / "folder" / "inner").symlink_to(tmp_path / "outside.csv")
    with pytest.raises(SourceError, match="outside the allowed folders"):
        sources.fetch(f"file://{tmp_path}/files/{path}")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("file://host/etc/passwd", "expected file:///absolute/path"),
        ("file://{root}/none.csv", "no such file"),
        ("ftp://host/x", "expected file://, s3://, hf:// or pypi://"),
        ("nonsense", "expected file://"),
    ],
)
def test_a_uri_that_names_nothing_is_refused(sources: Sources, tmp_path: Path, uri: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        sources.fetch(uri.format(root=tmp_path / "files"))


def test_no_file_is_allowed_when_no_root_is(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(SourceError, match="allowed folders: none"):
        Sources(tmp_path / "cache").fetch((tmp_path / "x.csv").as_uri())


# --- s3 and hf -------------------------------------------------------------------------------------------------------


def test_s3_says_what_it_needs(sources: Sources) -> None:
    pytest.importorskip("fsspec")
    try:
        import s3fs  # noqa: F401
    except ImportError:
        with pytest.raises(SourceError, match="needs the package s3fs"):
            sources.fetch("s3://bucket/rows.csv")


def test_objects_are_fetched_once_per_version(tmp_path: Path) -> None:
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    filesystem.pipe("/bucket/set/a.csv", b"one")
    filesystem.pipe("/bucket/set/deep/b.csv", b"two")
    one = s3.fetch_objects(filesystem, "/bucket/set/a.csv", "s3://bucket/set/a.csv", tmp_path)
    assert one.read_bytes() == b"one"
    assert one == s3.fetch_objects(filesystem, "/bucket/set/a.csv", "s3://bucket/set/a.csv", tmp_path)
    folder = s3.fetch_objects(filesystem, "/bucket/set", "s3://bucket/set", tmp_path)
    assert (folder / "deep" / "b.csv").read_bytes() == b"two"
    filesystem.pipe("/bucket/set/a.csv", b"newer")
    changed = s3.fetch_objects(filesystem, "/bucket/set/a.csv", "s3://bucket/set/a.csv", tmp_path)
    assert (changed.read_bytes(), one.read_bytes()) == (b"newer", b"one")
    with pytest.raises(SourceError, match="no such object"):
        s3.fetch_objects(filesystem, "/bucket/none", "s3://bucket/none", tmp_path)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("hf://a/b", hf.HfUri("a/b", "model", None, None)),
        ("hf://a/b@main", hf.HfUri("a/b", "model", "main", None)),
        ("hf://a/b/onnx/model.json", hf.HfUri("a/b", "model", None, "onnx/model.json")),
        ("hf://datasets/a/b@v1/data/x.parquet", hf.HfUri("a/b", "dataset", "v1", "data/x.parquet")),
    ],
)
def test_hub_uris_are_understood(uri: str, expected: hf.HfUri) -> None:
    assert hf.parse(uri) == expected


@pytest.mark.parametrize(
    "uri",
    ["hf://a", "hf://", "hf://a/b/../../x", "hf://a/b@x@y", "hf://a/b//etc/passwd", "hf://a/b/./x", "hf://a/b/x?y"],
)
def test_hub_uris_that_name_no_repository_are_refused(uri: str) -> None:
    with pytest.raises(SourceError, match="expected hf://owner/name"):
        hf.parse(uri)
