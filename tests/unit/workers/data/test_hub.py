"""hf:// against a hub on this machine, through the real client."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "a" * 40
FILES = {"config.json": b"{}", "model.safetensors": b"w" * 100, "pytorch_model.bin": b"a pickle", "data/rows.csv": b"x"}


class Hub(BaseHTTPRequestHandler):
    """The part of the hub's interface that a snapshot and a file need."""

    def do_GET(self) -> None:
        self._answer(True)

    def do_HEAD(self) -> None:
        self._answer(False)

    def _answer(self, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        name = path.split(f"/{COMMIT}/")[-1] if f"/{COMMIT}/" in path else path.split("/main/")[-1]
        if path.startswith("/api/models/owner/model/revision/"):
            siblings = [{"rfilename": file} for file in FILES]
            self._send(200, json.dumps({"id": "owner/model", "sha": COMMIT, "siblings": siblings}).encode(), with_body)
        elif path.startswith("/api/models/owner/model/tree/"):
            tree = [{"type": "file", "path": file, "size": len(data), "oid": "b" * 40} for file, data in FILES.items()]
            self._send(200, json.dumps(tree).encode(), with_body)
        elif path.startswith("/owner/model/resolve/") and name in FILES:
            self._send(200, FILES[name], with_body)
        else:
            missing = "EntryNotFound" if path.startswith("/owner/model/resolve/") else "RepoNotFound"
            self._send(404, b"", with_body, missing)

    def _send(self, status: int, body: bytes, with_body: bool, error: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{len(body):040x}"')
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def fetch(uri: str, cache: Path, endpoint: str) -> str:
    """In a process of its own: the client reads its endpoint when it is imported."""
    code = """
import sys
from pathlib import Path
from workers.runtime.errors import SourceError
from workers.runtime.sources import Sources
try:
    print(Sources(Path(sys.argv[2])).fetch(sys.argv[1]))
except SourceError as error:
    print("refused:", error.retryable, error)
"""
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, uri, str(cache)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return done.stdout.strip()


def test_a_repository_is_fetched_without_its_pickles(tmp_path: Path, endpoint: str) -> None:
    folder = Path(fetch("hf://owner/model", tmp_path, endpoint))
    assert (folder / "model.safetensors").read_bytes() == b"w" * 100
    assert sorted(path.name for path in folder.rglob("*.*")) == ["config.json", "model.safetensors", "rows.csv"]


def test_one_file_is_fetched_and_what_is_missing_is_named(tmp_path: Path, endpoint: str) -> None:
    assert Path(fetch("hf://owner/model/data/rows.csv", tmp_path, endpoint)).read_bytes() == b"x"
    assert fetch("hf://owner/model/none.csv", tmp_path, endpoint).startswith("refused: False")
    assert "has no such file" in fetch("hf://owner/model/none.csv", tmp_path, endpoint)
    assert "no such repository" in fetch("hf://owner/other", tmp_path, endpoint)
