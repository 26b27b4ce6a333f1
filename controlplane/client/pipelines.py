"""What is asked of pipelines and their runs."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from controlplane.client.connection import Document, until
from controlplane.client.part import Part
from schemas.phases import FINAL_RUN_PHASES
from schemas.views.pipelines import PipelineView, RunView
from schemas.views.revisions import RevisionView


class Pipelines(Part):
    def put_pipeline(self, spec: Document, reason: str | None = None) -> PipelineView:
        return self._api.send(
            PipelineView, "PUT", f"/v1/pipelines/{spec['name']}", json=spec, params={"reason": reason}
        )

    def list_pipelines(self) -> Iterator[PipelineView]:
        return self._api.pages(PipelineView, "/v1/pipelines")

    def get_pipeline(self, name: str) -> PipelineView:
        return self._api.get(PipelineView, f"/v1/pipelines/{name}")

    def pipeline_history(self, name: str) -> Iterator[RevisionView]:
        return self._api.pages(RevisionView, f"/v1/pipelines/{name}/history")

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
        return until(lambda: self.get_run(run_id), FINAL_RUN_PHASES, seconds, seen)
