"""Jobs of workers that went silent go back to Pending, or have failed."""

import logging

from sqlmodel import col, select

from controlplane.commands.jobs.outcomes import count_failure
from controlplane.domain.lease_expiry import live_since
from controlplane.duties.actor import ACTOR
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.tables import ApiReplicaRow, JobRow
from controlplane.store.unit_of_work import UnitOfWork

logger = logging.getLogger(__name__)
EXPIRED_AT_ONCE = 100


def expire_leases(database: Database, settings: Settings) -> None:
    """All that have expired, a batch in a transaction."""
    while True:
        with database.begin(ACTOR) as uow:
            expired = expire_some(uow, settings.job_lease_seconds)
        if expired:
            logger.warning("%d job leases expired", expired)
        if expired < EXPIRED_AT_ONCE:
            return


def expire_some(uow: UnitOfWork, lease_seconds: float) -> int:
    """End the attempts of workers that went silent, some at a time; answers how many.

    None before an API has lived for one whole lease: until then every worker may be alive and unheard.
    """
    now = uow.now()
    live = select(ApiReplicaRow.id).where(
        ApiReplicaRow.until >= now, ApiReplicaRow.since <= live_since(now, lease_seconds)
    )
    if uow.session.exec(live.limit(1)).first() is None:
        return 0
    silent = uow.session.exec(
        select(JobRow)
        .where(JobRow.phase == "Running", col(JobRow.lease_until) < now)
        .order_by(col(JobRow.lease_until))
        .limit(EXPIRED_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    for job in silent:
        reason = f"the lease of attempt {job.attempt} expired: {job.owner} went silent"
        count_failure(uow, job, reason, retryable=True)
    return len(silent)
