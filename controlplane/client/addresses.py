"""Where the web UI shows a thing: stable addresses, which the command line prints beside what it shows."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from schemas.views.deployments import DeploymentView
from schemas.views.jobs import JobView
from schemas.views.models import VersionView
from schemas.views.pipelines import RunView
from schemas.views.rollouts import DecisionView, RolloutView

PATHS: Final[dict[type, Callable[[Any], str]]] = {
    DeploymentView: lambda one: f"/deployments/{quote(one.name, safe='')}",
    RolloutView: lambda one: f"/rollouts/{one.id}",
    DecisionView: lambda one: f"/decisions/{one.id}",
    VersionView: lambda one: f"/models/{quote(one.model, safe='')}/{one.version}",
    RunView: lambda one: f"/pipeline-runs/{one.id}",
    JobView: lambda one: f"/jobs/{one.id}",
}


def page_of(thing: object) -> str | None:
    """Its path there; None: it has no page of its own."""
    return next((path(thing) for kind, path in PATHS.items() if isinstance(thing, kind)), None)
