"""Planted into aliases, deployments, rollouts and artifacts: the auditor has to find each."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import col

from controlplane.store.serving_tables import (
    DecisionRow,
    DeploymentRow,
    GenerationRow,
    RollbackRow,
    RolloutRow,
)
from controlplane.store.spine_tables import (
    EventRow,
)
from controlplane.store.tables import (
    AliasHistoryRow,
    AliasRow,
    AttachmentRow,
    JobRow,
    ModelVersionRow,
    PipelineRunRow,
)
from schemas.facts import (
    AliasMoved,
    RolloutAdvanced,
    RolloutFinished,
)
from tests.support.builders.models import MODEL
from tests.trials.chaos.invariants.expected import AliasMove
from tests.trials.chaos.tests.audited import DEPLOYMENT, AuditedWorld
from tests.trials.chaos.tests.plants import NOBODY, YEARS, Plant, first, found_by, now, record, started


def fact_moves_from_elsewhere(site: AuditedWorld) -> None:
    last = site.facts(EventRow.type == AliasMoved.TYPE)[-1]
    site.change(EventRow, EventRow.seq == last.seq, data={**last.data, "previous": str(NOBODY)})


def history_is_broken(site: AuditedWorld) -> None:
    site.change(AliasHistoryRow, col(AliasHistoryRow.previous).is_not(None), previous=NOBODY)


def history_lost_a_move(site: AuditedWorld) -> None:
    site.remove(AliasHistoryRow, AliasHistoryRow.alias == "challenger")


def pointer_is_elsewhere(site: AuditedWorld) -> None:
    moves = first(site, AliasHistoryRow, AliasHistoryRow.alias == "challenger")
    site.change(AliasRow, AliasRow.alias == "challenger", model_version_id=moves.model_version_id)


def pointer_is_gone(site: AuditedWorld) -> None:
    site.remove(AliasRow, AliasRow.alias == "challenger")


def accepted_move_is_lost(site: AuditedWorld) -> None:
    site.expected.moves.add(AliasMove(NOBODY, MODEL, "challenger", None, None))


def two_moves_on_one_etag(site: AuditedWorld) -> None:
    """As without compare-and-swap: both were accepted on top of the same move."""
    version = first(site, ModelVersionRow).id
    base = site.point("challenger", version)
    winner, loser = site.point("challenger", version), site.point("challenger", version)
    site.expected.moves -= {loser}
    site.expected.moves.add(AliasMove(loser.id, MODEL, "challenger", version, winner.expected))
    assert winner.expected == base.id


def generation_is_missing(site: AuditedWorld) -> None:
    site.remove(GenerationRow, GenerationRow.generation == 2)


def serves_another_than_the_champion(site: AuditedWorld) -> None:
    current = first(site, DeploymentRow).generation
    earlier = first(site, GenerationRow, GenerationRow.generation == 1)
    other = first(site, ModelVersionRow, ModelVersionRow.id != earlier.probe_version).id
    champion = first(site, AliasRow, AliasRow.alias == "champion").model_version_id
    assert other == champion
    site.change(GenerationRow, GenerationRow.generation == current, stable=earlier.probe_version)


def canary_without_a_rollout(site: AuditedWorld) -> None:
    current = first(site, DeploymentRow).generation
    site.change(GenerationRow, GenerationRow.generation == current, weight=0.5)


def rollout_goes_on_after_its_end(site: AuditedWorld) -> None:
    row = first(site, RolloutRow)
    said = {"rollout_id": row.id, "deployment": DEPLOYMENT, "phase": "Progressing", "step": 1, "weight": 0.5}
    record(site, RolloutAdvanced, f"rollout/{row.id}", **said, reason="a ghost")


def rollout_is_lost(site: AuditedWorld) -> None:
    site.expected.rollouts.add(NOBODY)


def rollout_ended_otherwise(site: AuditedWorld) -> None:
    last = site.facts(EventRow.type == RolloutFinished.TYPE)[-1]
    site.change(EventRow, EventRow.seq == last.seq, data={**last.data, "phase": "Aborted"})


def nobody_folds_it(site: AuditedWorld) -> None:
    site.change(RolloutRow, phase="Progressing", folded_at=now(site) - YEARS)


def verification_has_no_end(site: AuditedWorld) -> None:
    site.change(RolloutRow, phase="Verifying", probe_deadline=now(site) - YEARS)


def queue_does_not_move(site: AuditedWorld) -> None:
    site.change(RolloutRow, phase="Queued")


def rollback_has_no_end(site: AuditedWorld) -> None:
    at = now(site) - YEARS
    version = first(site, ModelVersionRow).id
    wanted: dict[str, Any] = {
        "deployment": DEPLOYMENT,
        "target": version,
        "previous": version,
        "probe": uuid4(),
        "deadline": at,
    }
    site.add(RollbackRow(**wanted, unconfirmed=[], reason="", actor="", created_at=at))


def run_without_work(site: AuditedWorld) -> None:
    site.change(PipelineRunRow, phase="Running")


def decision_was_changed(site: AuditedWorld) -> None:
    row = first(site, DecisionRow, DecisionRow.kind == "gates")
    site.change(DecisionRow, DecisionRow.id == row.id, inputs={**row.inputs, "gates": []})


def stored(site: AuditedWorld, digest: str) -> Path:
    name = digest.removeprefix("sha256:")
    return site.artifacts / "sha256" / name[:2] / name


def adapter_is_gone(site: AuditedWorld) -> None:
    stored(site, first(site, ModelVersionRow).adapter["digest"]).unlink()


def part_of_a_dataset_is_gone(site: AuditedWorld) -> None:
    stored(site, site.put("rows of first").digest).unlink()


def graph_is_half_written(site: AuditedWorld) -> None:
    path = stored(site, first(site, AttachmentRow).data["graph"]["adapter"]["digest"])
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:3])


def checkpoint_was_never_stored(site: AuditedWorld) -> None:
    reference = {"digest": "sha256:" + "9" * 64, "size": 1, "media_type": "x"}
    site.change(JobRow, JobRow.id == started(site).id, checkpoint={"artifact": reference, "step": 1})


PLANTS: dict[Plant, str] = {
    fact_moves_from_elsewhere: "moves it from",
    history_is_broken: "it was at",
    history_lost_a_move: "its history and its facts differ",
    pointer_is_elsewhere: "its last move made it",
    pointer_is_gone: "it is None, its last move made it",
    accepted_move_is_lost: "was accepted, and the history does not have it",
    two_moves_on_one_etag: "was accepted on top of",
    generation_is_missing: "after 0 came",
    serves_another_than_the_champion: "champion is",
    canary_without_a_rollout: "a canary has weight 0.5 and its rollout is none",
    rollout_goes_on_after_its_end: "after it was Promoted",
    rollout_is_lost: "accepted, and it does not exist",
    rollout_ended_otherwise: "its facts say Aborted",
    nobody_folds_it: "nobody has folded it since",
    verification_has_no_end: "its time to be verified ended",
    queue_does_not_move: "nothing is before it",
    rollback_has_no_end: "it has not ended",
    run_without_work: "none of its jobs and rollouts is",
    decision_was_changed: "its stored inputs give another verdict",
    adapter_is_gone: "refers to it, and it is not in the store",
    part_of_a_dataset_is_gone: "the manifest of dataset version",
    graph_is_half_written: "has other bytes (3 of them)",
    checkpoint_was_never_stored: "the checkpoint of job",
}


@pytest.mark.parametrize("plant", list(PLANTS), ids=lambda plant: plant.__name__)
def test_what_was_planted_is_found(plant: Plant, site: AuditedWorld) -> None:
    plant(site)
    found_by(site.look, PLANTS[plant])
    assert site.look() == [], "said once is enough"


@pytest.mark.parametrize(
    "plant",
    [
        serves_another_than_the_champion,
        canary_without_a_rollout,
        graph_is_half_written,
        adapter_is_gone,
        checkpoint_was_never_stored,
    ],
    ids=lambda plant: plant.__name__,
)
def test_a_glance_is_enough_for_what_lasts_a_moment(plant: Plant, site: AuditedWorld) -> None:
    assert site.glance() == []
    plant(site)
    found_by(site.glance, PLANTS[plant])
