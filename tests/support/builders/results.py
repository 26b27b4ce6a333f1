"""Results of every kind of job, valid as they are; keywords override."""

from typing import Any, Final
from uuid import UUID

from schemas.evidence import Interval, Paired
from schemas.jobs.attack import AttackResult
from schemas.jobs.curate import CurateResult
from schemas.jobs.evaluate import ClassScore, EvaluateResult
from schemas.jobs.export import ExportResult
from schemas.jobs.merge import MergeResult
from schemas.jobs.results import PrivacyLabel
from schemas.jobs.train import TrainResult
from tests.support.builders.artifacts import artifact, digest
from tests.support.builders.datasets import DATASET
from tests.support.builders.models import HEAD_ALONE, LABELS, MERGED, MODEL, graph_ref, made

TEST_ROWS: Final = "test rows"
"""The name of the rows that evaluations ask, unless a test names others."""


def interval(value: float, spread: float = 0.02, *, n: int = 1000, **bounds: float) -> Interval:
    """A proportion of `n` rows; its bounds lie `spread` around it, within 0 and 1, unless `low` and `high` say them."""
    around = {"low": max(0.0, value - spread), "high": min(1.0, value + spread)}
    return Interval(value=value, n=n, **around | bounds)


NO_ROWS: Final = interval(0, low=0, high=1, n=0)
"""What is known of a proportion of which no row was asked."""


def curated(name: str = "rows", **changes: Any) -> CurateResult:
    """A curation of ten rows: other names are other rows, so other versions."""
    fields: dict[str, Any] = {
        "dataset": "reviews",
        "row_schema": "text_label",
        "manifest": artifact(f"manifest of {name}", "application/json"),
        "digest": digest(name),
        "rows": {"train": 8, "validation": 1, "test": 1},
        "split_digests": {split: digest(f"{split} of {name}") for split in ("train", "validation", "test")},
        "rejected": {},
    }
    return CurateResult(**fields | changes)


def trained(**changes: Any) -> TrainResult:
    """A private training is of a head alone."""
    own: dict[str, Any] = {"model": MODEL, "adapter": artifact("adapter-1"), "rows": 8, "steps": 1}
    if changes.get("privacy"):
        own["identity"] = HEAD_ALONE
    return made(TrainResult, own, changes)


def merged(**changes: Any) -> MergeResult:
    """Two versions of rank 8."""
    own = {"model": MODEL, "adapter": artifact("merged adapter"), "identity": MERGED}
    return made(MergeResult, own, changes)


def privacy_label(**changes: Any) -> PrivacyLabel:
    """Of a run that was asked for epsilon 8 and delta 1e-5 in 40 steps."""
    fields: dict[str, Any] = {
        "epsilon": 7.99,
        "delta": 1e-5,
        "noise_multiplier": 3.804,
        "max_grad_norm": 0.5,
        "steps": 40,
        "sample_rate": 1.0,
        "accountant": "prv",
        "not_charged": ("the choice of steps",),
    }
    return PrivacyLabel(**fields | changes)


def exported(version: UUID, **changes: Any) -> ExportResult:
    fields: dict[str, Any] = {"graph": graph_ref(version), "max_abs_diff": 1e-5, "label_agreement": 1.0, "rows": 16}
    return ExportResult(model_version=version, **fields | changes)


def paired(against: UUID, difference: float = 0.0, spread: float = 0.01, **changes: Any) -> Paired:
    """Of 1,000 rows, on half of which something happened to both."""
    happened = round(1000 * difference)
    fields: dict[str, Any] = {
        "graph": graph_ref(against),
        "both": 500,
        "only_this": max(0, happened),
        "only_other": max(0, -happened),
        "neither": 500 - abs(happened),
        "difference": happened / 1000,
        "low": happened / 1000 - spread,
        "high": happened / 1000 + spread,
    }
    return Paired(against=against, **fields | changes)


def evaluated(version: UUID, accuracy: float | Interval, **changes: Any) -> EvaluateResult:
    """Both labels are answered equally well, and occur equally often."""
    scored = accuracy if isinstance(accuracy, Interval) else interval(accuracy)
    same = scored.value
    score = ClassScore(precision=same, recall=same, f1=same, support=scored.n // len(LABELS))
    fields: dict[str, Any] = {
        "dataset": DATASET,
        "split": "test",
        "graph": graph_ref(version),
        "rows_digest": digest(TEST_ROWS),
        "rows_trained_on": 0,
        "accuracy": scored,
        "macro_f1": same,
        "per_class": dict.fromkeys(LABELS, score),
        "outcomes": artifact("outcomes", "application/jsonl"),
    }
    return EvaluateResult(model_version=version, **fields | changes)


def attacked(version: UUID, success: float, **changes: Any) -> AttackResult:
    """1,100 rows: a hundred were answered wrong before, and of the others so large a share was broken."""
    broken = round(1000 * success)
    fields: dict[str, Any] = {
        "dataset": DATASET,
        "split": "test",
        "graph": graph_ref(version),
        "recipe": "deepwordbug",
        "rows_digest": digest("drawn rows"),
        "rows_trained_on": 0,
        "queries_per_word": 10,
        "seed": 0,
        "succeeded": broken,
        "failed": 1000 - broken,
        "out_of_budget": 0,
        "skipped": 100,
        "success_rate": interval(success, 0.1),
        "worst_success_rate": interval(success, 0.1),
        "clean_accuracy": interval(1 / 1.1, low=0.88, high=0.93, n=1100),
        "accuracy_under_attack": interval(0.5, low=0.4, high=0.6, n=1100),
        "mean_queries": 20.0,
        "examples": artifact("examples", "application/jsonl"),
    }
    return AttackResult(model_version=version, **fields | changes)
