"""Writes what we ship as a CycloneDX 1.6 document: `python -m deploy.sbom [FILE]`, without a network.

Packages, versions and hashes are those of requirements.lock, which CI installs. Licences and who needs whom are what
the installed packages declare of themselves; of one that is not for this platform both are unknown. Base models and
data are those of the demo, with the hash that a worker checks.
"""

import hashlib
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions, requires
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from controlplane.settings import VERSION
from deploy.demo_materials import materials
from deploy.licences import choice, licences
from deploy.requirement_graph import applies, edges

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = ROOT / "requirements.lock"
PRODUCT: Final = "graftwork"
Installed = dict[tuple[str, str], Distribution]
"""By name and version."""
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
    def key(self) -> tuple[str, str]:
        return canonicalize_name(self.name), self.version

    @property
    def ref(self) -> str:
        """Apart also from another version of itself, for other platforms."""
        return self.purl + (f"#{self.marker}" if self.marker else "")

    @property
    def purl(self) -> str:
        """https://github.com/package-url/purl-spec: names of PyPI are lower case with dashes."""
        return f"pkg:pypi/{canonicalize_name(self.name)}@{self.version.replace('+', '%2B')}"


def read_lock(text: str) -> Iterator[Pinned]:
    for entry in re.split(r"\n(?=\S)", text.strip()):
        match = _PINNED.match(entry)
        if not match:
            raise SystemExit(f"requirements.lock: expected name==version, found {entry.splitlines()[0]!r}")
        yield Pinned(
            match["name"], match["version"], (match["marker"] or "").strip() or None, tuple(_HASH.findall(entry))
        )


def document(lock: str, version: str) -> dict[str, Any]:
    """The same lock, installed on the same platform, gives the same document, its serial number included."""
    serial = UUID(bytes=hashlib.sha256(f"{version}\n{lock}".encode()).digest()[:16], version=4)
    product = {"type": "application", "bom-ref": PRODUCT, "name": PRODUCT, "version": version}
    pinned = sorted(read_lock(lock), key=lambda one: (one.name, one.version))
    installed = {(canonicalize_name(one.name), one.version): one for one in distributions()}
    fetched = materials()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {**product, "licenses": [choice("Apache-2.0")]}},
        "components": [*_packages(pinned, installed), *fetched],
        "dependencies": _dependencies(pinned, installed, [one["bom-ref"] for one in fetched]),
        "compositions": _compositions(pinned, installed),
    }


def _packages(pinned: Iterable[Pinned], installed: Installed) -> Iterator[dict[str, Any]]:
    shipped = edges(_shipped(), lambda name: _requires(name, installed))
    for one in pinned:
        scope = "required" if one.key[0] in shipped else "excluded"
        yield _component(one, scope, installed.get(one.key))


def _component(pinned: Pinned, scope: str, found: Distribution | None) -> dict[str, Any]:
    properties = [{"name": "graftwork:marker", "value": pinned.marker}] if pinned.marker else []
    properties += [{"name": "graftwork:file-sha256", "value": digest} for digest in pinned.hashes]
    declared = licences(found.metadata) if found else []  # type: ignore[arg-type]  # PackageMetadata is a Message
    if not declared:
        why = "not stated by its metadata" if found else "unknown: not installed on this platform"
        properties.append({"name": "graftwork:licence", "value": why})
    return {
        "type": "library",
        "bom-ref": pinned.ref,
        "name": pinned.name,
        "version": pinned.version,
        "scope": scope,
        **({"licenses": declared} if declared else {}),
        "purl": pinned.purl,
        "properties": properties,
    }


def _shipped() -> list[Requirement]:
    """What the product needs with all its extras, as `make lock` asks for it."""
    return [one for one in map(Requirement, requires(PRODUCT) or []) if applies(one, ["all"])]


def _for_development() -> list[Requirement]:
    return [
        Requirement(one) for one in tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    ]


def _requires(name: str, installed: Installed) -> list[Requirement]:
    return [Requirement(line) for key, found in installed.items() if key[0] == name for line in found.requires or []]


def _dependencies(pinned: list[Pinned], installed: Installed, fetched: list[str]) -> list[dict[str, Any]]:
    """Only between what is locked: `override-dependencies` of pyproject.toml leaves out what no recipe of ours runs."""
    asked = [*_shipped(), *_for_development()]
    needs = edges(asked, lambda name: _requires(name, installed))

    def refs(names: Iterable[str]) -> list[str]:
        wanted = set(names)
        return [one.ref for one in pinned if one.key[0] in wanted]

    ours = [*refs(canonicalize_name(one.name) for one in asked), *fetched]
    packages = [
        {"ref": one.ref, "dependsOn": refs(needs[one.key[0]]) if one.key in installed else []} for one in pinned
    ]
    return [{"ref": PRODUCT, "dependsOn": ours}, *packages, *({"ref": one, "dependsOn": []} for one in fetched)]


def _compositions(pinned: Iterable[Pinned], installed: Installed) -> list[dict[str, Any]]:
    """What a package needs that is not for this platform is not known here; an empty list would say: nothing."""
    unknown = [one.ref for one in pinned if one.key not in installed]
    return [{"aggregate": "unknown", "dependencies": unknown}] if unknown else []


def main(target: Path) -> None:
    found = document(LOCK.read_text(), VERSION)
    target.write_text(json.dumps(found, indent=1) + "\n")
    kinds = [one["type"] for one in found["components"]]
    unlicensed = [f"{one['name']}=={one['version']}" for one in found["components"] if "licenses" not in one]
    sys.stdout.write(
        f"{target}: CycloneDX {found['specVersion']}, {kinds.count('library')} packages, "
        f"{kinds.count('machine-learning-model')} base models, {kinds.count('data')} data sets; "
        f"no licence known of: {', '.join(unlicensed) or 'none'}\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("sbom.cdx.json"))
