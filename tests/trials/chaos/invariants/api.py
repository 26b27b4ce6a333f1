"""What the API answers is what the database holds."""

from collections.abc import Iterator
from uuid import UUID

from sqlmodel import col, select

from controlplane.store.tables import AliasRow, JobRow
from tests.trials.chaos.invariants.view import View


class ApiAgrees:
    """Every accepted job is asked for once, every alias each time, with its history's newest move."""

    def __init__(self) -> None:
        self._asked: set[UUID] = set()

    def judge(self, view: View) -> Iterator[str]:
        fresh = view.expected.jobs - self._asked
        self._asked |= fresh
        rows = select(JobRow.id, JobRow.phase, JobRow.outputs).where(col(JobRow.id).in_(fresh))
        for job_id, phase, outputs in view.session.exec(rows).all():
            said = view.client.get_job(job_id)
            if (said.phase, said.outputs) != (phase, outputs):
                yield f"job {job_id}: the API says {said.phase} with {said.outputs}, it is {phase} with {outputs}"
        for alias in view.session.exec(select(AliasRow)).all():
            move = view.client.get_alias(alias.model, alias.alias)
            newest = next(iter(view.client.alias_history(alias.model, alias.alias)), None)
            if (move.id, move.model_version_id) != (alias.history_id, alias.model_version_id) or newest != move:
                yield f"alias {alias.model}@{alias.alias}: the API says {move.id}, it is {alias.history_id}"
