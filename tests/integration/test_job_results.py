"""What a finished job made: versions and attachments, registered in its own transaction, and found by their names."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from controlplane.commands.jobs.lifecycle import request_job
from controlplane.errors import Invalid
from controlplane.store.database import Database
from controlplane.store.tables import AttachmentRow, BaseGraphRow, DatasetVersionRow, JobRow, ModelVersionRow
from schemas.jobs import JobKind, JobResult
from schemas.jobs.evaluate import EvaluateResult
from schemas.jobs.results import PrivacyLabel
from schemas.jobs.train import TrainResult
from schemas.model.precision import Precision
from tests.support.builders.artifacts import artifact, digest
from tests.support.builders.models import GENERATOR, HEAD_ALONE, graph_ref, identified_as, varied
from tests.support.builders.planted import plant_job, plant_model, plant_version
from tests.support.builders.results import curated, evaluated, exported, merged, privacy_label, trained
from tests.support.builders.specs import CURATE, HEAD, TRAIN, frozen_head
from tests.support.jobs import Jobs

KINDS_THAT_COMPARE: tuple[JobKind, ...] = ("evaluate", "attack")
PAID = privacy_label()
SPENT_TOO_MUCH = privacy_label(epsilon=900, noise_multiplier=0.1, not_charged=())


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database)


def do(jobs: Jobs, kind: Any, spec: dict[str, Any], result: JobResult) -> JobRow:
    jobs.request(kind, spec)
    return jobs.complete(jobs.claimed(kind), result)


def made(job: JobRow, output: str) -> UUID:
    assert job.outputs
    return UUID(job.outputs[output])


def curate(jobs: Jobs, letter: str = "a", **spec: Any) -> UUID:
    return made(do(jobs, "curate", {**CURATE, **spec}, curated(letter)), "dataset")


def train(jobs: Jobs, result: TrainResult | None = None, **spec: Any) -> UUID:
    return made(do(jobs, "train", TRAIN | spec, result or trained()), "model_version")


def version(jobs: Jobs, identity: UUID) -> ModelVersionRow:
    with jobs.database.read() as session:
        return session.exec(select(ModelVersionRow).where(ModelVersionRow.id == identity)).one()


def rows(jobs: Jobs, of: type[Any]) -> list[Any]:
    with jobs.database.read() as session:
        return list(session.exec(select(of)))


def asked(version_id: UUID, dataset: UUID) -> EvaluateResult:
    """Half of the rows of the curation's test split were answered right."""
    return evaluated(version_id, 0.5, dataset=dataset, rows_digest=digest("test of a"))


def test_a_curation_makes_the_next_version(jobs: Jobs) -> None:
    first, second = curate(jobs, "a"), curate(jobs, "b", parent="reviews@latest")
    made = {row.id: row for row in rows(jobs, DatasetVersionRow)}
    assert (made[first].version, made[second].version) == (1, 2)
    assert made[second].parent == first


def test_the_same_rows_again_are_the_latest_version(jobs: Jobs) -> None:
    first = curate(jobs, "a")
    assert curate(jobs, "a") == first
    other = curate(jobs, "b")
    again = curate(jobs, "a")  # as a step back: the latest differs
    assert len({first, other, again}) == 3
    assert [row.version for row in rows(jobs, DatasetVersionRow)] == [1, 2, 3]
    assert jobs.types().count("dataset.version_created") == 3


def test_a_training_registers_its_model_and_keeps_where_it_came_from(jobs: Jobs) -> None:
    dataset = curate(jobs)
    made = version(jobs, train(jobs))
    assert (made.model, made.version, made.parents, made.privacy) == ("sentiment", 1, [], None)
    assert made.datasets == [str(dataset)]
    assert version(jobs, train(jobs)).version == 2
    assert jobs.types().count("model.version_created") == 2


def test_a_private_version_names_its_public_rows_too(jobs: Jobs) -> None:
    private = curate(jobs)
    public = made(do(jobs, "curate", CURATE | {"dataset": "public"}, curated("f", dataset="public")), "dataset")
    result = trained(steps=40, privacy=PAID)
    version_id = train(jobs, result, method=HEAD, privacy={"epsilon": 8, "delta": 1e-5}, public_dataset="public@latest")
    assert version(jobs, version_id).datasets == [str(private), str(public)]


def test_a_private_version_carries_what_it_cost(jobs: Jobs) -> None:
    curate(jobs)
    made = version(
        jobs, train(jobs, trained(steps=40, privacy=PAID), method=HEAD, privacy={"epsilon": 8, "delta": 1e-5})
    )
    assert made.privacy is not None
    assert made.privacy["epsilon"] == pytest.approx(7.99)


@pytest.mark.parametrize(("label", "field"), [(None, "result.privacy"), (SPENT_TOO_MUCH, "result.privacy.epsilon")])
def test_a_private_training_without_its_label_makes_no_version(
    jobs: Jobs, label: PrivacyLabel | None, field: str
) -> None:
    curate(jobs)
    jobs.request("train", TRAIN | {"method": HEAD, "privacy": {"epsilon": 8, "delta": 1e-5}})
    with pytest.raises(Invalid, match=r"epsilon 8|at most 8") as refused:
        jobs.complete(jobs.claimed("train"), trained(steps=40, identity=HEAD_ALONE, privacy=label))
    assert refused.value.field == field
    assert rows(jobs, ModelVersionRow) == []


def test_a_merge_names_its_parents(jobs: Jobs) -> None:
    curate(jobs)
    one = train(jobs)
    two = train(jobs, task=frozen_head("sentiment/1"))
    assert version(jobs, two).parents == [str(one)]
    result = merged(model="both")
    spec = {"model": "both", "sources": ["sentiment/1", {"model_version": str(two), "weight": 0.5}]}
    jobs.request("merge", spec)
    claim = jobs.claimed("merge")
    for field, lie in (("r", 8), ("target_modules", ("query",))):
        with pytest.raises(Invalid) as refused:
            jobs.complete(claim, identified_as(result, form={field: lie}))
        assert refused.value.field == f"result.identity.form.{field}"
    both = made(jobs.complete(claim, result), "model_version")
    assert version(jobs, both).parents == [str(one), str(two)]


def test_an_export_is_an_attachment_and_its_base_graph_is_reused(jobs: Jobs) -> None:
    curate(jobs)
    one, two = train(jobs), train(jobs)
    do(jobs, "export", {"model_version": "sentiment/1"}, exported(one))
    job_id = jobs.request("export", {"model_version": str(two)})
    assert jobs.get(job_id).spec["base_graph"]["digest"] == graph_ref().base_graph.digest
    claim = jobs.claimed("export")
    with pytest.raises(Invalid, match="base_graph"):
        jobs.complete(claim, exported(two, graph=graph_ref(two, base_graph=artifact("another graph"))))
    jobs.complete(claim, exported(two))
    assert [row.artifact["digest"] for row in rows(jobs, BaseGraphRow)] == [graph_ref().base_graph.digest]
    assert {row.model_version_id for row in rows(jobs, AttachmentRow)} == {one, two}


def test_base_graphs_of_two_precisions_are_kept_apart(jobs: Jobs) -> None:
    with jobs.database.begin("tester") as uow:
        plant_model(uow, versions=2)
        identity, job = GENERATOR.model_dump(mode="json"), plant_job(uow)
        one, _ = [plant_version(uow, job, number, identity=identity).id for number in (1, 2)]
    precisions: tuple[Precision, ...] = ("fp32", "int4")
    for precision in precisions:
        base_graph = artifact(f"base graph in {precision}")
        graph = graph_ref(one, identity=GENERATOR, precision=precision, base_graph=base_graph)
        do(jobs, "export", {"model_version": "sentiment/1", "precision": precision}, exported(one, graph=graph))
    for precision in precisions:
        again = jobs.request("export", {"model_version": "sentiment/2", "precision": precision})
        assert jobs.get(again).spec["base_graph"]["digest"] == artifact(f"base graph in {precision}").digest


def test_an_evaluation_runs_on_the_latest_export_and_is_kept_once(jobs: Jobs) -> None:
    dataset = curate(jobs)
    made = train(jobs)
    spec = {"model_version": "sentiment@latest", "dataset": "reviews@latest"}
    with pytest.raises(Invalid, match="run an export job of it first"):
        jobs.request("evaluate", spec)
    do(jobs, "export", {"model_version": "sentiment/1"}, exported(made))
    for _ in range(2):
        do(jobs, "evaluate", spec, asked(made, dataset))
    kinds = [row.kind for row in rows(jobs, AttachmentRow)]
    assert sorted(kinds) == ["evaluate", "export"]
    assert jobs.types().count("model.attachment_added") == 2


def test_an_evaluation_of_other_rows_than_the_split_has_is_refused(jobs: Jobs) -> None:
    dataset, made = curate(jobs), train(jobs)
    do(jobs, "export", {"model_version": "sentiment/1"}, exported(made))
    jobs.request("evaluate", {"model_version": "sentiment/1", "dataset": "reviews/1"})
    claim = jobs.claimed("evaluate")
    with pytest.raises(Invalid, match="as registered") as refused:
        jobs.complete(claim, asked(made, dataset).model_copy(update={"rows_digest": digest("other rows")}))
    assert refused.value.field == "result.rows_digest"


def test_a_job_is_told_what_the_version_and_its_parents_were_trained_on(jobs: Jobs) -> None:
    """Also what the head was trained with that it took over, and what went into each source of a merge."""
    first, second, third = (curate(jobs, letter) for letter in "abc")
    one = train(jobs, dataset=str(second))
    two = train(jobs, dataset=str(first), task=frozen_head(str(one)))
    for version_id in (one, two):
        do(jobs, "export", {"model_version": str(version_id)}, exported(version_id))

    def told(kind: JobKind, version_id: UUID) -> list[str]:
        spec = {"model_version": str(version_id), "dataset": str(third)}
        return [ref["id"] for ref in jobs.get(jobs.request(kind, spec)).spec["trained_on"]]

    for kind in KINDS_THAT_COMPARE:
        assert told(kind, one) == [str(second)]
        assert told(kind, two) == [str(first), str(second)]
        with pytest.raises(Invalid, match="put there by the control plane"):
            jobs.request(kind, {"model_version": str(one), "dataset": str(third), "trained_on": []})


def test_a_job_is_told_which_graph_of_the_other_version_to_run(jobs: Jobs) -> None:
    curate(jobs)
    one, two = train(jobs), train(jobs)
    for version_id in (one, two):
        do(jobs, "export", {"model_version": str(version_id)}, exported(version_id))
    spec = {"model_version": "sentiment/2", "dataset": "reviews/1"}

    def asked(kind: JobKind, against: str) -> dict[str, Any]:
        return jobs.get(jobs.request(kind, {**spec, "against": against})).spec

    for kind in KINDS_THAT_COMPARE:
        assert asked(kind, "sentiment@champion").get("against") is None  # a first release has none
        found = asked(kind, "sentiment/1")
        assert found["against"]["id"] == str(one)
        assert found["against_graph"]["adapter"]["digest"] == graph_ref(one).adapter.digest


@pytest.mark.parametrize(
    ("against", "words"),
    [
        ("sentiment/2", "against itself"),
        ("sentimnt@champion", "did you mean 'sentiment'"),
        ("sentiment/9", "sentiment/9"),
        ("sentiment/3", "no export yet"),
    ],
)
def test_a_version_that_cannot_be_compared_is_refused(jobs: Jobs, against: str, words: str) -> None:
    curate(jobs)
    for version_id in (train(jobs), train(jobs)):
        do(jobs, "export", {"model_version": str(version_id)}, exported(version_id))
    train(jobs)
    with pytest.raises(Invalid, match=words) as refused:
        jobs.request("evaluate", {"model_version": "sentiment/2", "dataset": "reviews/1", "against": against})
    assert refused.value.field == "spec.against"


def test_a_generator_without_an_export_is_evaluated_and_not_attacked(jobs: Jobs) -> None:
    do(jobs, "curate", {**CURATE, "row_schema": "prompt_completion"}, curated(row_schema="prompt_completion"))
    identity = varied(GENERATOR, method={"target_modules": GENERATOR.form.target_modules})
    made = train(jobs, trained(identity=identity), task={"type": "text-generation"})
    asked = {"model_version": str(made), "dataset": "reviews/1"}
    assert jobs.get(jobs.request("evaluate", asked)).spec.get("graph") is None
    with pytest.raises(Invalid, match="no export yet, and this kind runs on the served graph") as refused:
        jobs.request("attack", {**asked, "answer": {"metric": "exact_match"}})
    assert refused.value.field == "spec.model_version"


def test_evidence_about_another_version_is_refused(jobs: Jobs) -> None:
    dataset = curate(jobs)
    made, other = train(jobs), train(jobs)
    do(jobs, "export", {"model_version": "sentiment/1"}, exported(made))
    jobs.request("evaluate", {"model_version": "sentiment/1", "dataset": "reviews/1"})
    with pytest.raises(Invalid) as refused:
        jobs.complete(jobs.claimed("evaluate"), asked(other, dataset))
    assert refused.value.field == "result.model_version"


def test_an_export_for_other_modules_than_the_version_has_is_refused(jobs: Jobs) -> None:
    curate(jobs)
    found = exported(train(jobs))
    jobs.request("export", {"model_version": "sentiment/1"})
    other = identified_as(found.graph, form={"target_modules": ("dense",)})
    with pytest.raises(Invalid, match="as the job's spec says") as refused:
        jobs.complete(jobs.claimed("export"), found.model_copy(update={"graph": other}))
    assert refused.value.field == "result.graph.identity.form.target_modules"


@pytest.mark.parametrize(
    ("kind", "spec", "field", "words"),
    [
        ("train", TRAIN | {"dataset": "revews@latest"}, "spec.dataset", "did you mean 'reviews'"),
        ("export", {"model_version": "sentimnt@champion"}, "spec.model_version", "did you mean 'sentiment'"),
        ("export", {"model_version": "sentiment/1", "base_graph": {}}, "spec.base_graph", "leave it out"),
        ("export", {"model_version": "sentiment/1", "precision": "int5"}, "spec.precision", "'fp32' or 'int4'"),
        (
            "export",
            {"model_version": "sentiment/1", "precision": "int4"},
            "spec.precision",
            "sentiment/1 in int4: expected fp32 for text-classification",
        ),
        ("merge", {"model": "m", "sources": ["sentiment/1", "nobody/1"]}, "spec.sources.1.model_version", "nobody/1"),
        ("merge", {"model": "m", "merge_method": "linear", "sources": ["sentiment/1"] * 2}, "spec.merge_method", "cat"),
        ("train", TRAIN | {"task": frozen_head("x/1")}, "spec.task.head.model_version", "x/1"),
        ("train", TRAIN | {"epochs": 0}, "spec.epochs", "expected at least 1"),
    ],
)
def test_a_name_that_nothing_has_is_refused_with_the_nearest(
    jobs: Jobs, kind: Any, spec: dict[str, Any], field: str, words: str
) -> None:
    curate(jobs)
    train(jobs)
    with pytest.raises(Invalid, match=words) as refused, jobs.database.begin("tester") as uow:
        request_job(uow, kind, spec)
    assert refused.value.field == field


def test_of_a_whole_reference_only_the_id_is_believed(jobs: Jobs) -> None:
    dataset = curate(jobs)
    forged = {"id": str(dataset), "dataset": "reviews", "version": 7, "digest": digest("forged")}
    job_id = jobs.request("train", TRAIN | {"dataset": forged})
    assert jobs.get(job_id).spec["dataset"]["digest"] == digest("a")


def test_nothing_is_registered_when_the_transaction_fails(
    jobs: Jobs, open_database: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.request()
    claim = jobs.claimed()
    facts = len(jobs.facts())

    def broken(*_: object) -> None:
        raise RuntimeError("the power is out")

    with monkeypatch.context() as patch:
        patch.setattr("controlplane.store.unit_of_work.UnitOfWork.commit", broken)
        with pytest.raises(RuntimeError):
            jobs.complete(claim)
    assert len(jobs.facts()) == facts
    assert rows(jobs, DatasetVersionRow) == []
    assert Jobs(open_database()).complete(claim).phase == "Succeeded"
