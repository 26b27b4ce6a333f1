"""Runs: pipelines as they went, and one run with its stages."""

from typing import Final

from controlplane.ui.action import Action
from controlplane.ui.page import Ask, Found, Page
from controlplane.ui.pages.paging import some
from controlplane.ui.verbs import RUN
from schemas.phases import FINAL_RUN_PHASES

ROWS: Final = 50


def look(ask: Ask) -> Found:
    runs, more = some(ask.client.list_runs(limit=ROWS + 1), ROWS)
    return {"runs": runs, "more": more, "jobs": some(ask.client.list_jobs(limit=ROWS + 1), ROWS)[0]}


def look_at_one(ask: Ask) -> Found:
    run = ask.client.get_run(ask.names["run"])
    return {"run": run, "jobs": some(ask.client.list_jobs(run=str(run.id), limit=ROWS + 1), ROWS)[0]}


def concerns(found: Found) -> frozenset[str]:
    return frozenset({str(found["run"].id), *(str(job.id) for job in found["jobs"])})


def actions(found: Found) -> list[Action]:
    run = found["run"]
    return [] if run.phase in FINAL_RUN_PHASES else [Action(verb, "pipeline-runs", str(run.id)) for verb in RUN]


PAGE: Final = Page(path="/runs", template="runs.html", look=look, fragments=("runs", "jobs"))
ONE: Final = Page(
    path="/pipeline-runs/{run}",
    template="run.html",
    look=look_at_one,
    fragments=("state", "actions", "stages"),
    concerns=concerns,
    every_seconds=lambda found: 15.0 if found["run"].phase in FINAL_RUN_PHASES else 3.0,
    actions=actions,
)
