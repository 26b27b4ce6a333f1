"""What travels stays readable: samples of every type, generated documents, and compatibility with what was released."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas.asyncapi import GENERATED, documents, write
from schemas.compatibility import RELEASED, breaks
from schemas.facts import BY_TYPE, EVENTS
from schemas.jobs import JOB_KINDS, RESULTS, SPECS
from schemas.topics import ALL_TOPICS
from tests.contract import new_samples

SAMPLES = sorted(new_samples.SAMPLES.glob("*.json"))
MODELS: dict[str, type[BaseModel]] = {
    **BY_TYPE,
    **{f"job.{kind}.spec": spec for kind, spec in SPECS.items()},
    **{f"job.{kind}.result": result for kind, result in RESULTS.items()},
}


def model_of(sample: Path) -> type[BaseModel]:
    name = sample.stem
    return MODELS.get(name) or MODELS[name.rpartition(".")[0]]


def test_every_event_spec_and_result_has_a_sample() -> None:
    assert {model_of(sample) for sample in SAMPLES} == set(MODELS.values())
    assert set(SPECS) == set(RESULTS) == set(JOB_KINDS)


def test_a_sample_is_written_of_a_kind_that_has_none_and_no_other_is_touched(tmp_path: Path) -> None:
    kept = tmp_path / "job.merge.spec.json"
    kept.write_text("as it travelled once")
    new_samples.write_missing(tmp_path)
    assert kept.read_text() == "as it travelled once"
    kept.unlink()
    written = {sample.stem: model_of(sample).model_validate_json(sample.read_text()) for sample in tmp_path.iterdir()}
    expected = {f"job.{kind}.{role}" for kind in JOB_KINDS for role in ("spec", "result")}
    assert written.keys() == expected - {"job.merge.spec"}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_still_parses_and_loses_nothing(sample: Path) -> None:
    written = json.loads(sample.read_text())
    read = model_of(sample).model_validate(written).model_dump(mode="json")
    assert holds(read, written)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_valid_by_its_generated_schema(sample: Path) -> None:
    from jsonschema import Draft202012Validator  # takes seconds, which collecting tests must not

    schema = TypeAdapter(model_of(sample)).json_schema()
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(sample.read_text()))


@pytest.mark.parametrize("name", sorted(BY_TYPE))
def test_a_reader_of_an_event_ignores_a_field_of_tomorrow(name: str) -> None:
    sample = json.loads((SAMPLES[0].parent / f"{name}.json").read_text())
    read = BY_TYPE[name].model_validate({**sample, "field_of_tomorrow": 1})
    assert read == BY_TYPE[name].model_validate(sample)


@pytest.mark.parametrize("kind", JOB_KINDS)
def test_a_reader_of_a_spec_refuses_a_field_of_tomorrow(kind: str) -> None:
    sample = json.loads((SAMPLES[0].parent / f"job.{kind}.spec.json").read_text())
    with pytest.raises(ValidationError, match="field_of_tomorrow"):
        SPECS[kind].model_validate({**sample, "field_of_tomorrow": 1})


def test_the_committed_documents_are_the_generated_ones(tmp_path: Path) -> None:
    write(tmp_path)
    fresh = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.json")}
    committed = {path.relative_to(GENERATED): path.read_text() for path in GENERATED.rglob("*.json")}
    committed.pop(Path("openapi.json"), None)
    assert committed == fresh, "run `make generate`"


def test_asyncapi_names_every_topic_and_event_and_stands_alone() -> None:
    document = documents()["asyncapi.json"]
    assert set(document["channels"]) == set(ALL_TOPICS)
    assert {event.TYPE for event in EVENTS} <= set(document["components"]["messages"])
    for reference in references(document):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]  # a KeyError here is a reference to nothing


def test_every_event_says_when_it_is_true() -> None:
    for message in documents()["asyncapi.json"]["components"]["messages"].values():
        assert message["summary"].endswith(".")


@pytest.mark.parametrize("document", sorted(documents()))
def test_nothing_that_was_released_has_changed(document: str) -> None:
    for release in sorted(RELEASED.glob("*")) if RELEASED.is_dir() else ():
        old = release / document
        if old.is_file():
            is_spec = document.endswith(".spec.json")
            assert breaks(json.loads(old.read_text()), documents()[document], may_widen=is_spec) == [], release.name


def test_no_released_type_has_gone() -> None:
    released = {str(path.relative_to(path.parents[1])) for path in RELEASED.glob("*/*/*.json")}
    assert released <= set(documents())


# --- the check itself, on planted changes ---------------------------------------------------------------------------

EVENT = documents()["events/dev.graftwork.job.failed.v1.json"]
SPEC = documents()["jobs/train.spec.json"]


def test_an_optional_field_may_be_added() -> None:
    new = deepcopy(EVENT)
    new["properties"]["retryable"] = {"type": "boolean", "default": False}
    assert breaks(EVENT, new) == []


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (lambda s: s["properties"].pop("reason"), ".reason: removed or renamed"),
        (lambda s: s["properties"].update(why=s["properties"].pop("reason")), ".reason: removed or renamed"),
        (lambda s: s["properties"]["attempt"].update(type="string"), ".attempt[type]: 'integer' became 'string'"),
        (lambda s: s["properties"]["job_id"].pop("format"), ".job_id[format]: 'uuid' became None"),
        (lambda s: s["properties"]["attempt"].update(maximum=3), ".attempt[maximum]: None became 3"),
        (lambda s: s["required"].append("owner"), ".owner: newly required"),
        (lambda s: s["required"].remove("kind"), ".kind: no longer sure to be there"),
    ],
)
def test_a_planted_change_of_an_event_is_found(plant: Any, expected: str) -> None:
    new = deepcopy(EVENT)
    plant(new)
    assert expected in breaks(EVENT, new)


def test_changes_deep_in_a_spec_are_found_and_a_new_choice_is_allowed_there() -> None:
    new = deepcopy(SPEC)
    new["$defs"]["Privacy"]["required"].append("accountant")
    new["$defs"]["LoraSpec"]["properties"]["rank"] = new["$defs"]["LoraSpec"]["properties"].pop("r")
    new["$defs"]["Privacy"]["properties"]["sampler"] = {"enum": ["full_batch", "poisson"], "type": "string"}
    found = breaks(SPEC, new, may_widen=True)
    assert found == [
        ".method[oneOf].#/$defs/LoraSpec.r: removed or renamed",
        ".privacy[anyOf].#/$defs/Privacy.accountant: newly required",
    ]
    assert any("'poisson' is a new choice" in one for one in breaks(SPEC, new))
    assert any("no longer a choice" in one for one in breaks(new, SPEC, may_widen=True))


def holds(whole: Any, part: Any) -> bool:
    """Every key of `part` is in `whole` with its value, at every level."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(k in whole and holds(whole[k], v) for k, v in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(holds(w, p) for w, p in zip(whole, part, strict=True))
    return bool(whole == part)


def references(document: Any) -> list[str]:
    if isinstance(document, dict):
        own = [document["$ref"]] if isinstance(document.get("$ref"), str) else []
        return own + [found for value in document.values() for found in references(value)]
    return [found for value in document for found in references(value)] if isinstance(document, list) else []
