"""Which API processes live: while none does, every worker may be alive and unheard."""

from datetime import timedelta

from sqlmodel import col, update

from controlplane.domain.lease_expiry import presence_seconds
from controlplane.store.insert import insert_once
from controlplane.store.tables import ApiReplicaRow
from controlplane.store.unit_of_work import UnitOfWork


def keep_api_alive(uow: UnitOfWork, replica: str, lease_seconds: float) -> None:
    """An API process says that it lives. After a gap it counts as new: the sleep or the outage was not the workers'."""
    now = uow.now()
    until = now + timedelta(seconds=presence_seconds(lease_seconds))
    alive = update(ApiReplicaRow).where(col(ApiReplicaRow.id) == replica).execution_options(synchronize_session=False)
    if uow.execute(alive.where(col(ApiReplicaRow.until) >= now).values(until=until)):
        return
    if not insert_once(uow, ApiReplicaRow(id=replica, since=now, until=until)):
        uow.execute(alive.values(since=now, until=until))
