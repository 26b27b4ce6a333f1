"""What a journey carries: one task's documents, rows and users, in few rows."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from controlplane.cli.demo.case import Case
from controlplane.cli.demo.cases import CASES
from controlplane.cli.demo.users import Reader, User
from tests.support.builders.bases import build_tiny_base
from tests.support.builders.decoders import build_tiny_decoder, planted_completions
from tests.support.builders.rows import planted_rows

CASE: Final = CASES["classification"]
DEPLOYMENT, MODEL = CASE.deployment, CASE.model
VALIDATION, TEST, FIRST_TRAIN, MORE_TRAIN = 100, 200, 300, 200
"""Rows."""
PLANTED_EPOCHS: Final = 4
"""A tiny base of random weights has more to learn."""
CANARY: Final[dict[str, Any]] = {
    "steps": [0.25, 0.5],
    "step_seconds": 2,
    "step_units": 20,
    "tick_seconds": 1,
    "lease_seconds": 10,
    "label_wait_seconds": 8,
    "metrics": [{"name": "error", "margin": 0.1}, {"name": "wrong", "margin": 0.2}],
}
"""Wide margins: the journey is to end by evidence, and in seconds."""
PARITY: Final[dict[str, Any]] = {"gate": "parity", "max_abs_diff": 0.001}

Pipelines = tuple[dict[str, Any], dict[str, Any]]
Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Cargo:
    """A case's documents made small, and who asks its versions."""

    case: Case
    deployment: dict[str, Any]
    pipelines: Pipelines
    """That which the trigger starts, and the one whose version is bad."""
    trigger: dict[str, Any]
    user: User
    epochs: int = 1

    @property
    def first_batch(self) -> int:
        """Rows of it, those that are held out too."""
        return VALIDATION + TEST + FIRST_TRAIN


def reviews(*, attacked: bool = True) -> Cargo:
    """The demo's own: the same documents, the same real base model and reviews."""
    good, flipped = CASE.document("pipeline"), CASE.document(CASE.bad)
    _divided(good, balanced=True)
    if attacked:
        good["stages"]["attack"]["spec"]["rows"] = 3
    else:
        del good["stages"]["attack"]
        good["stages"]["release"]["needs"].remove("attack")
    return _cargo(CASE, _review_gates(attacked=attacked), (good, flipped), CASE.user)


def _review_gates(*, attacked: bool = True) -> list[dict[str, Any]]:
    asked = {"recipe": "deepwordbug", "queries_per_word": 10}
    worst = {"gate": "metric", "metric": "attack_success_rate_at_worst", "attack": asked}
    attack = worst | {"dataset": CASE.dataset, "min_rows": 1, "maximum": 1.0}
    return [PARITY, _measured(CASE, "accuracy", minimum=0.55), *([attack] if attacked else [])]


def planted_reviews(folder: Path) -> Cargo:
    """A tiny encoder and texts with planted labels, both made in `folder`; the bad version learns them flipped."""
    other = {"negative": "positive", "positive": "negative"}
    planted = [{"text": text, "label": label} for text, label in planted_rows(1200, seed=7)]
    flipped = [{**row, "label": other[row["label"]]} for row in planted]
    base = build_tiny_base(folder / "base")
    pipelines = _planted_pipelines(CASE, folder, base, planted, flipped)
    pipelines[0]["stages"]["attack"]["spec"]["rows"] = 20
    return replace(_cargo(CASE, _review_gates(), pipelines, CASE.user), epochs=PLANTED_EPOCHS)


def texts(folder: Path) -> Cargo:
    """A tiny decoder and rows with planted completions, both made in `folder`; the bad version learns them swapped."""
    case = CASES["generation"]
    other = {"film good": "film bad", "film bad": "film good"}
    planted = [{"prompt": row.prompt, "completion": row.completion} for row in planted_completions(1200, seed=7)]
    swapped = [{**row, "completion": other[row["completion"]]} for row in planted]
    base = build_tiny_decoder(folder / "base", hidden_size=64, num_key_value_heads=4)
    pipelines = _planted_pipelines(case, folder, base, planted, swapped)
    gates = [PARITY, _measured(case, "exact_match", minimum=0.55)]
    return replace(_cargo(case, gates, pipelines, Reader(case.model, str.strip)), epochs=PLANTED_EPOCHS)


def _planted_pipelines(case: Case, folder: Path, base: Path, rows: Rows, bad_rows: Rows) -> Pipelines:
    """The case's own, on other rows and another base."""
    pipelines = []
    for name, of in (("pipeline", rows), (case.bad, bad_rows)):
        file = folder / f"{name}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in of))
        pipeline = case.document(name)
        pipeline["params"] |= {"uri": file.as_uri(), "base_model": base.as_uri()}
        curate, train = (pipeline["stages"][stage]["spec"] for stage in ("curate", "train"))
        curate["sources"] = [{"uri": "${params.uri}"}]
        curate["operators"] = [one for one in curate["operators"] if one["op"] in ("sample", "split")]
        train |= {"method": {"type": "lora", "r": 8}, "epochs": "${params.epochs}", "batch_size": 16}
        train |= {"learning_rate": 1e-2, "max_length": 32}
        pipelines.append(pipeline)
    good, bad = pipelines
    _divided(good)
    bad["stages"]["train"]["spec"]["epochs"] = PLANTED_EPOCHS
    return good, bad


def _cargo(
    case: Case, gates: Sequence[dict[str, Any]], pipelines: tuple[dict[str, Any], dict[str, Any]], user: User
) -> Cargo:
    good, bad = pipelines
    bad["params"].update(offset=VALIDATION + TEST + FIRST_TRAIN + MORE_TRAIN, limit=FIRST_TRAIN)
    deployment = case.document("deployment")
    deployment["policy"] = {"gates": list(gates), "canary": deepcopy(CANARY)}
    trigger = {**case.document("trigger"), "cooldown_seconds": 0}
    return Cargo(case, deployment, (good, bad), trigger, user)


def _measured(case: Case, metric: str, minimum: float) -> dict[str, Any]:
    asked = {"gate": "metric", "metric": metric, "dataset": case.dataset, "min_rows": TEST}
    return {**asked, "minimum": minimum, "not_worse_than_champion_by": 0.2}


def _divided(pipeline: dict[str, Any], **how: Any) -> None:
    """As many rows are held out as the journey's gates ask for."""
    curate = pipeline["stages"]["curate"]["spec"]
    *before, _ = curate["operators"]
    curate["operators"] = [*before, {"op": "split", "validation": VALIDATION, "test": TEST, **how}]
