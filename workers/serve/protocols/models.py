"""Which model and version a request names, and whether the endpoint is one for its task."""

from typing import Final

from schemas.model.tasks import TaskName
from schemas.serving import Generation, ServedVersion
from workers.serve.gateway import Gateway
from workers.serve.problems import Problem

ASKED_AT: Final[dict[TaskName, str]] = {
    "text-classification": "/v1/predict or /v2/models/{model}/infer",
    "text-generation": "/v1/chat/completions, /v1/completions or /v2/models/{model}/infer",
}
"""Task to the endpoints of its own."""


def served(gateway: Gateway, model: str, version: str | None) -> tuple[Generation, ServedVersion]:
    """The generation in force and its stable version; raises Problem for another model or a version not served now."""
    generation, stable = gateway.units.serving()
    if model != stable.model:
        # the name given stays out of the answer: it may hold anything
        expected = f"model: expected {stable.model!r}, this deployment's model"
        raise Problem(404, "not-found", "There is no such model here", expected, field="model")
    if version is not None:
        gateway.units.find(version)
    return generation, stable


def check_task(gateway: Gateway, task: TaskName) -> None:
    """Raises Problem where the deployment, which keeps its task, answers with something else."""
    _, stable = gateway.units.serving()
    kept = stable.graph.identity.task.type
    if kept != task:
        asked_at = ASKED_AT[kept].format(model=stable.model)
        detail = f"model: {stable.model!r} is for {kept}: expected a request to {asked_at}"
        raise Problem(409, "another-task", "This endpoint is for another task", detail, field="model")
