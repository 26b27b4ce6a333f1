"""What a journey carries: one task's documents, rows and users, in few rows."""

import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from controlplane.cli.demo.case import Case
from controlplane.cli.demo.cases import CASES
from controlplane.cli.demo.users import Reader, User
from tests.support.builders.decoders import build_tiny_decoder, planted_completions
from workers.data.rows import PromptCompletion

CASE: Final = CASES["classification"]
DEPLOYMENT, MODEL = CASE.deployment, CASE.model
VALIDATION, TEST, FIRST_TRAIN, MORE_TRAIN = 100, 200, 300, 200
"""Rows."""
TEXT_EPOCHS: Final = 4
"""A decoder of random weights has more to learn."""
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
    asked = {"recipe": "deepwordbug", "queries_per_word": 10}
    worst = {"gate": "metric", "metric": "attack_success_rate_at_worst", "attack": asked}
    attack = worst | {"dataset": CASE.dataset, "min_rows": 1, "maximum": 1.0}
    gates = [PARITY, _measured(CASE, "accuracy", minimum=0.55), *([attack] if attacked else [])]
    return _cargo(CASE, gates, (good, flipped), CASE.user)


def texts(folder: Path) -> Cargo:
    """A tiny decoder and rows with planted completions, both made in `folder`; the bad version learns them swapped."""
    case = CASES["generation"]
    base = build_tiny_decoder(folder / "base", hidden_size=64, num_key_value_heads=4)
    planted = planted_completions(1200, seed=7)
    files = {
        "pipeline": _written(folder / "planted.jsonl", planted),
        case.bad: _written(folder / "swapped.jsonl", [_swapped(row) for row in planted]),
    }
    pipelines = []
    for name, file in files.items():
        pipeline = case.document(name)
        pipeline["params"] |= {"uri": file.as_uri(), "base_model": base.as_uri()}
        curate, train = (pipeline["stages"][stage]["spec"] for stage in ("curate", "train"))
        curate["sources"] = [{"uri": "${params.uri}"}]
        curate["operators"] = [one for one in curate["operators"] if one["op"] in ("sample", "split")]
        train |= {"method": {"type": "lora", "r": 8}, "epochs": "${params.epochs}", "batch_size": 16}
        train |= {"learning_rate": 1e-2, "max_length": 32}
        pipelines.append(pipeline)
    good, swapped = pipelines
    _divided(good)
    gates = [PARITY, _measured(case, "exact_match", minimum=0.55)]
    swapped["stages"]["train"]["spec"]["epochs"] = TEXT_EPOCHS
    return replace(_cargo(case, gates, (good, swapped), Reader(case.model, str.strip)), epochs=TEXT_EPOCHS)


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


def _written(file: Path, rows: Sequence[PromptCompletion]) -> Path:
    lines = [json.dumps({"prompt": row.prompt, "completion": row.completion}) for row in rows]
    file.write_text("\n".join(lines) + "\n")
    return file


def _swapped(row: PromptCompletion) -> PromptCompletion:
    other = {"film good": "film bad", "film bad": "film good"}
    return PromptCompletion(row.prompt, other[row.completion])
