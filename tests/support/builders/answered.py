"""A spec of every kind of job, each with a result that answers it."""

from collections.abc import Mapping
from typing import Final

from schemas.jobs import JobKind, JobResult, JobSpec
from tests.support.builders.models import graph_ref, identified_as, model_ref
from tests.support.builders.results import attacked, beside, curated, evaluated, exported, interval, merged, trained
from tests.support.builders.specs import attack_spec, curate_spec, evaluate_spec, export_spec, merge_spec, train_spec

MODEL: Final = model_ref(1)
LONGER: Final = identified_as(model_ref(2), base={"uri": "file:///mirror-of-the-base"}, max_length=128)
GRAPH: Final = graph_ref(MODEL.id)
HALF: Final = interval(0.5, 0.1, n=40)
BESIDE: Final = beside(LONGER.id, 0, 0.1, graph=GRAPH, both=20, neither=20)
COMPARED: Final = {"against": LONGER, "against_graph": GRAPH}
_BROKEN: Final = interval(0.5, 0.1, n=30)

ANSWERED: Final[Mapping[JobKind, tuple[JobSpec, JobResult]]] = {
    "curate": (curate_spec(), curated()),
    "train": (train_spec(max_rows=8), trained()),
    "merge": (merge_spec(MODEL, LONGER, model="both"), identified_as(merged(model="both"), max_length=128)),
    "export": (export_spec(MODEL, base_graph=GRAPH.base_graph), exported(MODEL.id, max_abs_diff=1e-3)),
    "evaluate": (evaluate_spec(MODEL, GRAPH, **COMPARED), evaluated(MODEL.id, HALF, BESIDE)),
    "attack": (
        attack_spec(MODEL, GRAPH, rows=40, **COMPARED),
        attacked(
            MODEL.id,
            _BROKEN,
            beside(LONGER.id, 0, 0.1, graph=GRAPH, both=20, neither=5),
            succeeded=15,
            failed=14,
            out_of_budget=1,
            skipped=10,
            success_rate=_BROKEN,
            clean_accuracy=HALF,
            accuracy_under_attack=HALF,
            mean_queries=30,
        ),
    ),
}
"""Samples of what travels are written from these."""
