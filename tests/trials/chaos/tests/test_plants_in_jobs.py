"""Planted into the log, its announcements and the lives of jobs: the auditor has to find each."""

from datetime import timedelta
from uuid import uuid4

import pytest

from controlplane.store.serving_tables import DecisionRow
from controlplane.store.spine_tables import (
    EventRow,
    InboxRow,
)
from controlplane.store.tables import (
    DatasetVersionRow,
    JobLogRow,
    JobRow,
    ModelVersionRow,
)
from schemas.facts import (
    JobRequested,
    JobStarted,
    JobSucceeded,
    ModelVersionCreated,
)
from tests.support.builders.models import MODEL
from tests.trials.chaos.tests.audited import SOURCE, AuditedWorld
from tests.trials.chaos.tests.plants import NOBODY, YEARS, Plant, clone, first, found_by, job, now, record, started


def fact_is_gone(site: AuditedWorld) -> None:
    site.remove(EventRow, EventRow.seq == 3)


def cause_is_unknown(site: AuditedWorld) -> None:
    site.change(EventRow, EventRow.seq == 5, causationid=str(uuid4()))


def cause_comes_later(site: AuditedWorld) -> None:
    site.change(EventRow, EventRow.seq == 5, causationid=str(site.facts()[-1].id))


def token_in_a_fact(site: AuditedWorld) -> None:
    site.expected.secrets.add(site.admin_token)
    row = first(site, EventRow)
    site.change(EventRow, EventRow.seq == row.seq, data={**row.data, "note": f"by {site.admin_token}"})


def text_in_a_log_line(site: AuditedWorld) -> None:
    site.expected.secrets.add("a dreadful film")
    site.change(JobLogRow, line="row 3: a dreadful film")


def token_in_a_jobs_reason(site: AuditedWorld) -> None:
    site.expected.secrets.add(site.admin_token)
    site.change(JobRow, JobRow.id == job(site).id, reason=f"401 with {site.admin_token}")


def text_in_a_decisions_reason(site: AuditedWorld) -> None:
    site.expected.secrets.add("50%_off: a dreadful film")
    site.change(DecisionRow, reason="users say 50%_off: a dreadful film")


def version_without_a_fact(site: AuditedWorld) -> None:
    clone(site, ModelVersionRow, id=uuid4(), version=9)


def fact_without_a_version(site: AuditedWorld) -> None:
    said = {"model": MODEL, "model_version_id": NOBODY, "version": 9, "adapter_digest": "x", "job_id": NOBODY}
    record(site, ModelVersionCreated, f"model/{MODEL}", **said)


def fact_told_twice(site: AuditedWorld) -> None:
    row = first(site, EventRow, EventRow.type == ModelVersionCreated.TYPE)
    site.add(EventRow(**{**row.model_dump(), "seq": None, "id": uuid4()}))


def event_received_without_a_fact(site: AuditedWorld) -> None:
    site.add(InboxRow(consumer="inbound", source=SOURCE, event_id="99", at=now(site)))


def job_ends_twice(site: AuditedWorld) -> None:
    row = job(site)
    record(site, JobSucceeded, f"job/{row.id}", job_id=row.id, kind="curate", attempt=row.attempt)


def two_hold_the_lease(site: AuditedWorld) -> None:
    row = started(site)
    record(site, JobStarted, f"job/{row.id}", job_id=row.id, kind="curate", attempt=2, owner="another")
    site.change(JobRow, JobRow.id == row.id, attempt=2)


def reclaimed_under_the_same_fence(site: AuditedWorld) -> None:
    row = started(site)
    record(site, JobRequested, f"job/{row.id}", job_id=row.id, kind="curate", attempt=1)
    record(site, JobStarted, f"job/{row.id}", job_id=row.id, kind="curate", attempt=1, owner="another")


def ended_by_a_stale_fence(site: AuditedWorld) -> None:
    row = started(site)
    record(site, JobRequested, f"job/{row.id}", job_id=row.id, kind="curate", attempt=1)
    record(site, JobStarted, f"job/{row.id}", job_id=row.id, kind="curate", attempt=2, owner="another")
    record(site, JobSucceeded, f"job/{row.id}", job_id=row.id, kind="curate", attempt=1)


def ended_while_nobody_held_it(site: AuditedWorld) -> None:
    job_id = site.request()
    record(site, JobSucceeded, f"job/{job_id}", job_id=job_id, kind="curate", attempt=0)


def state_and_facts_differ(site: AuditedWorld) -> None:
    site.change(JobRow, JobRow.id == started(site).id, attempt=7)


def accepted_job_is_lost(site: AuditedWorld) -> None:
    site.expected.jobs.add(NOBODY)


def accepted_job_never_ends(site: AuditedWorld) -> None:
    site.request()


def two_datasets_of_one_job(site: AuditedWorld) -> None:
    clone(site, DatasetVersionRow, id=uuid4(), version=9)


def dataset_of_a_job_that_runs(site: AuditedWorld) -> None:
    clone(site, DatasetVersionRow, id=uuid4(), version=9, job_id=started(site).id)


def success_without_outputs(site: AuditedWorld) -> None:
    site.change(JobRow, JobRow.id == job(site).id, outputs=None)


def line_of_a_stale_attempt(site: AuditedWorld) -> None:
    site.add(JobLogRow(job_id=job(site).id, attempt=1, at=now(site) + timedelta(seconds=5), line="still here"))


def lease_of_the_workers_clock(site: AuditedWorld) -> None:
    site.change(JobRow, JobRow.id == started(site).id, lease_until=now(site) + YEARS)


def finished_job_holds_a_lease(site: AuditedWorld) -> None:
    site.change(JobRow, JobRow.id == job(site).id, claim_id=uuid4())


def running_job_that_nobody_holds(site: AuditedWorld) -> None:
    site.change(JobRow, JobRow.id == started(site).id, lease_until=None)


PLANTS: dict[Plant, str] = {
    fact_is_gone: "a fact is gone",
    cause_is_unknown: "which is not before it",
    cause_comes_later: "which is not before it",
    token_in_a_fact: "a token or a row's text is in fact",
    text_in_a_log_line: "a token or a row's text is in log line",
    token_in_a_jobs_reason: "a token or a row's text is in a reason: job.reason",
    text_in_a_decisions_reason: "a token or a row's text is in a reason: decision.reason",
    version_without_a_fact: "no model.version_created announces it",
    fact_without_a_version: "which is not in the database",
    fact_told_twice: "was announced twice",
    event_received_without_a_fact: "no event.received announces it",
    job_ends_twice: "it had ended",
    two_hold_the_lease: "two hold the lease",
    reclaimed_under_the_same_fence: "the fence did not grow by one",
    ended_by_a_stale_fence: "a stale fence",
    ended_while_nobody_held_it: "nobody held its lease",
    state_and_facts_differ: "its facts say Running at attempt 1",
    accepted_job_is_lost: "accepted, and it does not exist",
    accepted_job_never_ends: "accepted, and it has not ended",
    two_datasets_of_one_job: "it made 2 of one dataset version",
    dataset_of_a_job_that_runs: "it made a dataset version and is Running",
    success_without_outputs: "without a result or without outputs",
    line_of_a_stale_attempt: "after it was over",
    lease_of_the_workers_clock: "more than one lease from now",
    finished_job_holds_a_lease: "and holds a lease",
    running_job_that_nobody_holds: "nobody holds its lease",
}


@pytest.mark.parametrize("plant", list(PLANTS), ids=lambda plant: plant.__name__)
def test_what_was_planted_is_found(plant: Plant, site: AuditedWorld) -> None:
    plant(site)
    found_by(site.look, PLANTS[plant])
    assert site.look() == [], "said once is enough"


@pytest.mark.parametrize(
    "plant", [lease_of_the_workers_clock, running_job_that_nobody_holds], ids=lambda plant: plant.__name__
)
def test_a_glance_is_enough_for_what_lasts_a_moment(plant: Plant, site: AuditedWorld) -> None:
    assert site.glance() == []
    plant(site)
    found_by(site.glance, PLANTS[plant])
