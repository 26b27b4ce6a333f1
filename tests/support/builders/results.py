"""Results of every kind of job, valid as they are; keywords override."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from schemas.evidence import Conditions, Interval, Measurement, Paired, PairedMean
from schemas.jobs.attack import AttackConditions, AttackResult
from schemas.jobs.curate import CurateResult
from schemas.jobs.evaluate import EvaluateResult
from schemas.jobs.export import ExportResult
from schemas.jobs.merge import MergeResult
from schemas.jobs.results import PrivacyLabel, VersionResult
from schemas.jobs.train import TrainResult
from schemas.metrics import METRICS, MetricName
from schemas.model.references import GraphRef
from tests.support.builders.artifacts import artifact, digest
from tests.support.builders.datasets import DATASET
from tests.support.builders.models import HEAD_ALONE, LABELS, MERGED, MODEL, graph_ref, made
from workers.tasks.text_generation.scores import MEANS

TEST_ROWS: Final = "test rows"
"""The name of the rows that evaluations ask, unless a test names others."""


def interval(value: float, spread: float = 0.02, *, n: int = 1000, **bounds: float) -> Interval:
    """A proportion of `n` rows; its bounds lie `spread` around it, within 0 and 1, unless `low` and `high` say them."""
    around = {"low": max(0.0, value - spread), "high": min(1.0, value + spread)}
    return Interval(value=value, n=n, **around | bounds)


DEEPWORDBUG: Final = {"recipe": "deepwordbug", "queries_per_word": 10}
"""How attacks are made, unless a test says it otherwise."""
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


def recorded(**changes: Any) -> VersionResult:
    """What the registry keeps of the result of any job that makes a version."""
    return made(VersionResult, {"model": MODEL, "adapter": artifact("adapter-1")}, changes)


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
    fields: dict[str, Any] = {"graph": graph_ref(version), "max_abs_diff": 1e-5, "agreement": 1.0, "rows": 16}
    return ExportResult(model_version=version, **fields | changes)


@dataclass(frozen=True)
class Beside:
    """Another version that was asked the same rows, and how the two compare."""

    against: UUID
    graph: GraphRef
    paired: Paired


def beside(
    against: UUID, difference: float = 0.0, spread: float = 0.01, *, graph: GraphRef | None = None, **changes: Any
) -> Beside:
    """1,000 rows, on half of which something happened to both."""
    happened = round(1000 * difference)
    fields: dict[str, Any] = {
        "both": 500,
        "only_this": max(0, happened),
        "only_other": max(0, -happened),
        "neither": 500 - abs(happened),
        "difference": happened / 1000,
        "low": happened / 1000 - spread,
        "high": happened / 1000 + spread,
    }
    return Beside(against, graph or graph_ref(against), Paired(**fields | changes))


def paired_mean(difference: float, spread: float = 0.01, *, n: int = 1000) -> PairedMean:
    return PairedMean(n=n, difference=difference, low=difference - spread, high=difference + spread)


def measurement(metric: MetricName, found: Interval, slice_: str | None = None, **changes: Any) -> Measurement:
    fields: dict[str, Any] = {"metric": metric, "slice": slice_, "direction": METRICS[metric].direction}
    return Measurement(**fields | found.model_dump() | changes)


def evaluated(
    version: UUID, accuracy: float | Interval, beside: Beside | None = None, **changes: Any
) -> EvaluateResult:
    """Both labels are answered equally well, and occur equally often."""
    scored = accuracy if isinstance(accuracy, Interval) else interval(accuracy)
    apart = scored.model_copy(update={"n": scored.n // len(LABELS)})
    fields: dict[str, Any] = {
        "conditions": _conditions(Conditions, version, beside, changes),
        "rows_digest": digest(TEST_ROWS),
        "rows_trained_on": 0,
        "measurements": (
            measurement("accuracy", scored, paired=beside and beside.paired),
            measurement("macro_f1", scored),
            *(measurement("recall", apart, label, paired=beside and _half(beside.paired)) for label in LABELS),
            *(measurement("precision", apart, label) for label in LABELS),
            *(measurement("f1", apart, label) for label in LABELS),
        ),
        "outcomes": artifact("outcomes", "application/jsonl"),
    }
    return EvaluateResult(model_version=version, **fields | changes)


def evaluated_text(version: UUID, exact: Interval, beside: Beside | None = None, **changes: Any) -> EvaluateResult:
    """A generator whose every score is that of its exact answers; its perplexity is 2."""
    n = exact.n
    mean = beside and paired_mean(0.0, 0.1, n=n)
    perplexity = {"metric": "perplexity", "value": 2.0, "low": 1.5, "high": 2.5, "n": n, "direction": "minimize"}
    fields: dict[str, Any] = {
        "conditions": _conditions(Conditions, version, beside, changes),
        "rows_digest": digest(TEST_ROWS),
        "rows_trained_on": 0,
        "measurements": (
            *(measurement(metric, exact, paired=beside and beside.paired) for metric in ("exact_match", "valid_json")),
            *(measurement(metric, exact, paired=mean) for metric in MEANS),
            Measurement(**perplexity, paired=mean),
        ),
        "outcomes": artifact("outcomes", "application/jsonl"),
    }
    return EvaluateResult(model_version=version, **fields | changes)


def attacked(version: UUID, success: float | Interval, beside: Beside | None = None, **changes: Any) -> AttackResult:
    """1,100 rows: a hundred were answered wrong before, and of the others so large a share was broken."""
    worst = success if isinstance(success, Interval) else interval(success, 0.1)
    clean = changes.pop("clean_accuracy", interval(1 / 1.1, low=0.88, high=0.93, n=1100))
    left = changes.pop("accuracy_under_attack", interval(0.5, low=0.4, high=0.6, n=1100))
    unknown = changes.get("out_of_budget", 0)
    broken = round(1000 * worst.value)
    fields: dict[str, Any] = {
        "conditions": _conditions(AttackConditions, version, beside, changes, **DEEPWORDBUG, seed=0),
        "rows_digest": digest("drawn rows"),
        "rows_trained_on": 0,
        "measurements": (
            measurement("attack_success_rate_at_worst", worst, unknown=unknown, paired=beside and beside.paired),
            measurement("accuracy_under_attack", left, unknown=unknown),
            measurement("clean_accuracy", clean),
        ),
        "succeeded": broken,
        "failed": 1000 - broken,
        "out_of_budget": 0,
        "skipped": 100,
        "success_rate": worst,
        "mean_queries": 20.0,
        "examples": artifact("examples", "application/jsonl"),
    }
    return AttackResult(model_version=version, **fields | changes)


def _conditions(
    of: type[Conditions], version: UUID, beside: Beside | None, changes: dict[str, Any], **own: Any
) -> Conditions:
    """What was asked; `changes` loses what it says of it, which is not checked."""
    fields = {"dataset": DATASET, "split": "test", "graph": graph_ref(version), **own}
    if beside is not None:
        fields |= {"against": beside.against, "against_graph": beside.graph}
    said = {name: changes.pop(name) for name in of.model_fields if name in changes}
    return of.model_validate(fields).model_copy(update=said)


def _half(paired: Paired) -> Paired:
    """The same on half of the rows."""
    counts = {name: getattr(paired, name) // 2 for name in ("both", "only_this", "only_other", "neither")}
    return paired.model_copy(update=counts)
