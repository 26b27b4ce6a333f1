"""Datasets: their versions as counts, reasons and settings. What stands in a row is never asked for."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from controlplane.ui.page import Ask, Found, Page
from controlplane.ui.pages.paging import API_PAGE, some
from schemas.data.operators import OPERATORS

READING: Final = "reading"
READING_TOO: Final = frozenset({"too_long"})
"""Reasons of an operator for which rows are left out as they are read, too."""
OPERATORS_BY_NAME: Final = {str(one.model_fields["op"].default): one for one in OPERATORS}


def look(ask: Ask) -> Found:
    datasets, more = some(ask.client.list_datasets(), API_PAGE - 1)
    return {"datasets": datasets, "more": more}


def look_at_one(ask: Ask) -> Found:
    versions, more = some(ask.client.list_dataset_versions(ask.names["dataset"]), API_PAGE - 1)
    return {"name": ask.names["dataset"], "versions": versions, "more": more}


def look_at_version(ask: Ask) -> Found:
    """With settings and counts of its job alone: what a job says in words may quote a file."""
    version = ask.client.get_dataset_version(f"{ask.names['dataset']}/{ask.names['number']}")
    job = ask.client.get_job(version.job_id)
    operators = job.spec.get("operators") or []
    used = [one["op"] for one in operators]
    return {
        "version": version,
        "parent": ask.client.get_dataset_version(version.parent) if version.parent else None,
        "job_kind": job.kind,
        "made_by": job.actor,
        "sources": [source["uri"] for source in job.spec.get("sources") or []],
        "seed": job.spec.get("seed"),
        "operators": [_operator(one, version.rejected) for one in operators],
        "truncated": (job.result or {}).get("truncated") or 0,
        "left_out": [_left_out(reason, rows, used) for reason, rows in _most_first(version.rejected)],
    }


def _operator(settings: Mapping[str, Any], rejected: Mapping[str, int]) -> dict[str, Any]:
    """An operator with its settings. `left_out` counts its reasons, of all operators of that name together."""
    known = OPERATORS_BY_NAME.get(settings["op"])
    reasons = known.REJECTS if known else {}
    return {
        "op": settings["op"],
        "settings": {name: value for name, value in settings.items() if name not in ("op", "version")},
        "left_out": {reason: rows for reason, rows in _most_first(rejected) if reason in reasons},
        "leaves_out": bool(reasons),
    }


def _left_out(reason: str, rows: int, used: Sequence[str]) -> dict[str, Any]:
    """One reason, with who may have left rows out for it and what a person can do about it."""
    by = [op for op in dict.fromkeys(used) if op in OPERATORS_BY_NAME and reason in OPERATORS_BY_NAME[op].REJECTS]
    return {
        "reason": reason,
        "rows": rows,
        "by": by + [READING] * (not by or reason in READING_TOO),
        "advice": OPERATORS_BY_NAME[by[0]].REJECTS[reason] if by else None,
    }


def _most_first(rejected: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(rejected.items(), key=lambda one: (-one[1], one[0]))


PAGE: Final = Page(path="/datasets", template="datasets.html", look=look, fragments=("datasets",))
ONE: Final = Page(
    path="/datasets/{dataset}",
    template="dataset.html",
    look=look_at_one,
    fragments=("versions",),
    concerns=lambda found: frozenset({found["name"]}),
)
VERSION: Final = Page(
    path="/datasets/{dataset}/{number}",
    template="dataset_version.html",
    look=look_at_version,
    fragments=("identity", "rows", "operators"),
    concerns=lambda found: frozenset({str(found["version"].id)}),
)
