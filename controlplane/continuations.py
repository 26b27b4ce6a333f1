"""What goes on when something has ended: the one place that knows, and how a database is opened that does so.

A command only says what has ended (`UnitOfWork.has_ended`); before the commit, in the same transaction,
`continue_with` does what follows, and whatever that ends is followed too.

Locks are taken in one order, also along a chain of ends: the job, then the deployments (by name, all that its run may
release to next), then a deployment's rollouts, then the pipeline run. Whoever changes a rollout has locked its
deployment; whoever has locked a run locks no job that is older than this transaction. Only a release that follows a
release locks its deployment after the run: of two transactions that cross there PostgreSQL ends one, which is told Busy
and tried again.
"""

from typing import assert_never

from controlplane.commands.automation import pipelines
from controlplane.commands.rollouts.phases import start_next
from controlplane.commands.serving.generations import lock_deployment
from controlplane.store.database import Database
from controlplane.store.ended import Ended, JobEnded, RolloutEnded
from controlplane.store.unit_of_work import UnitOfWork


def continue_with(uow: UnitOfWork, ended: Ended) -> None:
    """A job's and a rollout's pipeline run goes on; then the deployment's next rollout begins, unless it is frozen."""
    match ended:
        case JobEnded(job):
            pipelines.job_finished(uow, job)
        case RolloutEnded(rollout):
            pipelines.rollout_finished(uow, rollout)
            start_next(uow, lock_deployment(uow, rollout.deployment))
        case _:
            assert_never(ended)


def open_database(url: str, *, pool_size: int = 10) -> Database:
    """The database of every process of ours, and of every test that lets something end."""
    return Database(url, pool_size=pool_size, continue_with=continue_with)
