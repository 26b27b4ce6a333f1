"""Writes what we ship as a CycloneDX 1.6 document, from requirements.lock alone: `python -m deploy.sbom [FILE]`.

The lock is what CI installs, every file by its hash; so the document needs no network and is the same everywhere.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from controlplane.settings import VERSION

LOCK: Final = Path(__file__).parents[1] / "requirements.lock"
_PINNED: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]+))?"
)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Pinned:
    """One line of the lock: a package, where it is for, and the files that may be it."""

    name: str
    version: str
    marker: str | None
    hashes: tuple[str, ...]

    @property
    def purl(self) -> str:
        """https://github.com/package-url/purl-spec: names of PyPI are lower case with dashes."""
        return f"pkg:pypi/{re.sub(r'[-_.]+', '-', self.name).lower()}@{self.version.replace('+', '%2B')}"


def read_lock(text: str) -> Iterator[Pinned]:
    for entry in re.split(r"\n(?=\S)", text.strip()):
        match = _PINNED.match(entry)
        if not match:
            raise SystemExit(f"requirements.lock: expected name==version, found {entry.splitlines()[0]!r}")
        yield Pinned(
            match["name"], match["version"], (match["marker"] or "").strip() or None, tuple(_HASH.findall(entry))
        )


def document(lock: str, version: str) -> dict[str, Any]:
    """The same lock gives the same document, its serial number included."""
    serial = UUID(bytes=hashlib.sha256(f"{version}\n{lock}".encode()).digest()[:16], version=4)
    product = {"type": "application", "bom-ref": "graftwork", "name": "graftwork", "version": version}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {**product, "licenses": [{"license": {"id": "Apache-2.0"}}]}},
        "components": [
            _component(pinned) for pinned in sorted(read_lock(lock), key=lambda one: (one.name, one.version))
        ],
    }


def _component(pinned: Pinned) -> dict[str, Any]:
    properties = [{"name": "graftwork:marker", "value": pinned.marker}] if pinned.marker else []
    properties += [{"name": "graftwork:file-sha256", "value": digest} for digest in pinned.hashes]
    return {
        "type": "library",
        "bom-ref": pinned.purl + (f"#{pinned.marker}" if pinned.marker else ""),
        "name": pinned.name,
        "version": pinned.version,
        "purl": pinned.purl,
        "properties": properties,
    }


def main(target: Path) -> None:
    found = document(LOCK.read_text(), VERSION)
    target.write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(f"{target}: {len(found['components'])} packages, CycloneDX {found['specVersion']}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("sbom.cdx.json"))
