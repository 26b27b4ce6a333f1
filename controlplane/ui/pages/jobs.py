"""Job: what it was asked for, how far it is, what it measured, and what its worker said."""

from typing import Final

from controlplane.ui.action import Action
from controlplane.ui.page import Ask, Found, Page
from controlplane.ui.verbs import JOB
from schemas.phases import FINAL_JOB_PHASES

LINES: Final = 200


def look(ask: Ask) -> Found:
    job = ask.client.get_job(ask.names["job"])
    return {
        "job": job,
        "curves": ask.client.get_curves(job.id),
        "lines": ask.client.get_logs(job.id)[-LINES:],
    }


def concerns(found: Found) -> frozenset[str]:
    return frozenset({str(found["job"].id)})


def actions(found: Found) -> list[Action]:
    job = found["job"]
    wanted = "retry" if job.phase in FINAL_JOB_PHASES else "cancel"
    return [Action(verb, "jobs", str(job.id)) for verb in JOB if verb.name == wanted]


ONE: Final = Page(
    path="/jobs/{job}",
    template="job.html",
    look=look,
    fragments=("state", "actions", "curves", "log"),
    concerns=concerns,
    every_seconds=lambda found: 3.0 if found["job"].phase == "Running" else 15.0,
    actions=actions,
)
