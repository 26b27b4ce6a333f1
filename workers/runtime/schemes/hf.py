"""hf:// sources: a model or data set repository of the hub, or one file of it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from workers.runtime.errors import SourceError

EXPECTED = "hf://owner/name[@revision][/path] or hf://datasets/owner/name[@revision][/path]"
# Formats that hold data only; a pickle in the repository is never fetched.
PATTERNS = ["*.json", "*.jsonl", "*.safetensors", "*.jinja", "*.txt", "*.model", "*.csv", "*.tsv", "*.parquet"]
_URI = re.compile(
    r"hf://(?P<kind>datasets/)?(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<path>[^#@?\\\0]+?))?/?"
)


@dataclass(frozen=True)
class HfUri:
    repo: str
    repo_type: Literal["model", "dataset"]
    revision: str | None
    path: str | None


def parse(uri: str) -> HfUri:
    match = _URI.fullmatch(uri.partition("#")[0])
    # An empty step would make the rest an absolute path, which leads out of the cache when it is joined to it.
    if not match or not {"", ".", ".."}.isdisjoint(match["path"].split("/") if match["path"] else ()):
        raise SourceError(f"uri {uri!r}: expected {EXPECTED}")
    return HfUri(match["repo"], "dataset" if match["kind"] else "model", match["revision"], match["path"])


def fetch(uri: str, cache: Path) -> Path:
    wanted = parse(uri)
    try:
        return _download(wanted, cache / "hub")
    except RepositoryNotFoundError as error:
        raise SourceError(f"uri {uri!r}: the hub has no such repository, or no access to it was given") from error
    except LocalEntryNotFoundError as error:
        reason = f"uri {uri!r}: the hub cannot be reached and the cache does not hold it"
        raise SourceError(reason, retryable=True) from error
    except EntryNotFoundError as error:
        raise SourceError(f"uri {uri!r}: the repository has no such file") from error
    except HFValidationError as error:
        raise SourceError(f"uri {uri!r}: expected {EXPECTED}") from error
    except (HfHubHTTPError, OSError) as error:
        raise SourceError(f"uri {uri!r} cannot be fetched: {type(error).__name__}", retryable=True) from error


def _download(wanted: HfUri, cache: Path) -> Path:
    if wanted.path and Path(wanted.path).suffix:
        return Path(
            hf_hub_download(
                wanted.repo, wanted.path, repo_type=wanted.repo_type, revision=wanted.revision, cache_dir=cache
            )
        )
    patterns = [f"{wanted.path}/{pattern}" for pattern in PATTERNS] if wanted.path else PATTERNS
    folder = Path(
        snapshot_download(
            wanted.repo,
            repo_type=wanted.repo_type,
            revision=wanted.revision,
            cache_dir=cache,
            allow_patterns=patterns,
        )
    )
    return folder / (wanted.path or "")
