"""Builders make what the schemas accept, say a version's identity once, and plant fields that differ."""

from typing import Any, Final, get_args
from uuid import UUID

import pytest
from pydantic import BaseModel

from controlplane.kinds import contradiction
from schemas.jobs import JobResult, JobSpec
from schemas.model.identity import ModelIdentity
from tests.support.builders import results, specs
from tests.support.builders.adapters import small_adapter
from tests.support.builders.artifacts import artifact, digest
from tests.support.builders.datasets import DATASET, dataset_ref
from tests.support.builders.models import (
    IDENTITY,
    graph_ref,
    identified_as,
    identity,
    model_ref,
    registered,
    served_version,
    varied,
)

ONE, TWO = model_ref(1), model_ref(2)
EXPORT: Final = results.exported(ONE.id)
ANSWERED: Final[list[tuple[JobSpec, JobResult]]] = [
    (specs.curate_spec(), results.curated()),
    (specs.train_spec(), results.trained()),
    (specs.merge_spec(ONE, TWO), results.merged()),
    (specs.export_spec(ONE), EXPORT),
    (specs.evaluate_spec(ONE, EXPORT.graph), results.evaluated(ONE.id, 0.9)),
    (specs.attack_spec(ONE, EXPORT.graph, rows=1100), results.attacked(ONE.id, 0.5)),
]


class Registered:
    """What the builders' versions are."""

    def rows_digest(self, _dataset_version: UUID, _split: str) -> str | None:
        return digest(results.TEST_ROWS)


def kinds(union: Any) -> set[str]:
    return {of.model_fields["kind"].default for of in get_args(get_args(union)[0])}


def test_there_is_a_spec_and_a_result_of_every_kind() -> None:
    assert {spec.kind for spec, _ in ANSWERED} == kinds(JobSpec)
    assert {result.kind for _, result in ANSWERED} == kinds(JobResult)


@pytest.mark.parametrize(("spec", "result"), ANSWERED, ids=lambda one: one.kind)
def test_a_result_answers_the_spec_of_its_kind(spec: JobSpec, result: JobResult) -> None:
    assert contradiction(spec, result, Registered()) is None


def test_a_digest_is_that_of_its_name() -> None:
    assert digest("adapter-1") == "sha256:06bd88f018cec6c90e3c2381a40a4cf850f0ed146da119a498f65ac640ca91e5"
    assert artifact("adapter-1").size == 9
    assert digest("adapter-1") != digest("adapter-2")


def digests_in(document: Any) -> list[str]:
    if isinstance(document, dict):
        return [found for value in document.values() for found in digests_in(value)]
    return [document] if isinstance(document, str) and document.startswith("sha256:") else []


@pytest.mark.parametrize("document", [ONE, graph_ref(), dataset_ref(), results.trained(), results.curated()])
def test_no_two_digests_of_a_document_are_equal(document: BaseModel) -> None:
    found = digests_in(document.model_dump(mode="json"))
    assert len(found) > 1
    assert len(found) == len(set(found))


@pytest.mark.parametrize("document", [ONE, graph_ref(), results.trained(), small_adapter()])
def test_every_document_carries_a_whole_identity(document: Any) -> None:
    assert isinstance(document.identity, ModelIdentity)
    assert document.identity.task.head_digest.startswith("sha256:")


def test_what_a_training_made_is_registered_as_it_is() -> None:
    other = varied(IDENTITY, task={"labels": ("a", "b")}, max_length=8)
    made = results.trained(model="other", identity=other, adapter=artifact("its adapter"))
    found = registered(made, 3)
    assert (found.id, found.version, found.model, found.adapter) == (UUID(int=3), 3, "other", made.adapter)
    assert found.identity == other
    assert (found.identity.task.labels, found.identity.max_length) == (("a", "b"), 8)


def test_a_copy_of_another_identity_differs_in_that_alone() -> None:
    other = identified_as(ONE, max_length=8, task={"labels": ("a",)})
    assert other != ONE
    assert identified_as(other, max_length=ONE.identity.max_length, task={"labels": ONE.identity.task.labels}) == ONE


@pytest.mark.parametrize("make", [model_ref, graph_ref, results.trained, results.merged, identity])
def test_a_field_that_there_is_not_is_refused(make: Any) -> None:
    with pytest.raises(TypeError, match="max_lenght"):
        make(max_lenght=8)


def test_a_copy_takes_fields_of_an_identity_only() -> None:
    with pytest.raises(TypeError, match="version"):
        identified_as(ONE, version=2)


def test_a_served_version_is_the_registered_one() -> None:
    served = served_version(2)
    assert (served.id, served.model, served.version) == (TWO.id, TWO.model, TWO.version)
    assert served.graph.identity == TWO.identity


@pytest.mark.parametrize("value", [0.0, 0.01, 0.5, 1.0])
def test_an_interval_holds_its_value_whatever_it_is(value: float) -> None:
    found = results.interval(value)
    assert 0 <= found.low <= value <= found.high <= 1


def test_evidence_is_of_the_planted_dataset() -> None:
    evidence = (results.evaluated(ONE.id, 0.5), results.attacked(ONE.id, 0.5))
    assert {one.conditions.dataset for one in evidence} == {DATASET, dataset_ref().id}
