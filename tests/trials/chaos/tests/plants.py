"""What a planter has at hand: rows and facts as somebody writes them who has the database's password."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlmodel import SQLModel, select

from controlplane.store.tables import (
    JobRow,
)
from tests.trials.chaos.tests.audited import AuditedWorld

Plant = Callable[[AuditedWorld], None]
YEARS = timedelta(days=1000)
NOBODY = UUID(int=0)


def record(site: AuditedWorld, fact: type[Any], subject: str, **data: Any) -> None:
    """A fact that the control plane never announced."""
    with site.database.begin("intruder") as uow:
        uow.record(fact(**data), subject)


def job(site: AuditedWorld, phase: str = "Succeeded") -> JobRow:
    with site.database.read() as session:
        return session.exec(select(JobRow).where(JobRow.phase == phase, JobRow.kind == "curate")).first()  # type: ignore[return-value]


def started(site: AuditedWorld) -> JobRow:
    """A job that runs, as it should."""
    site.request()
    site.jobs.claimed()
    return job(site, "Running")


def clone(site: AuditedWorld, row_type: type[SQLModel], **changes: Any) -> None:
    with site.database.read() as session:
        row = session.exec(select(row_type)).first()
        assert row is not None
        values = {**row.model_dump(), **changes}
    site.add(row_type(**values))


def first(site: AuditedWorld, row_type: type[Any], *where: Any) -> Any:
    with site.database.read() as session:
        found = session.exec(select(row_type).where(*where)).first()
        assert found is not None
        return found


def now(site: AuditedWorld) -> Any:
    with site.database.begin("test") as uow:
        return uow.now()


def found_by(look: Callable[[], list[str]], said: str) -> None:
    """Fails, with what was found, unless that was."""
    found = look()
    assert any(said in one for one in found), found
