"""What is asked of jobs."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from controlplane.client.connection import Document, until
from controlplane.client.part import Part
from schemas.phases import FINAL_JOB_PHASES
from schemas.views.jobs import JobCurves, JobView, LogLine


class Jobs(Part):
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
        return until(lambda: self.get_job(job_id), FINAL_JOB_PHASES, seconds, seen)
