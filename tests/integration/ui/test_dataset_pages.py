"""Datasets as pages: counts, reasons, settings and where they came from, and nothing of what stands in a row."""

from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import select

from controlplane.store.tables import JobRow, ModelVersionRow
from controlplane.ui.pages.datasets import READING_TOO
from schemas.data.operators import OPERATORS
from tests.support.builders.planted import plant_dataset
from tests.support.builders.results import curated
from tests.support.builders.specs import curate_spec, source_at
from tests.support.worlds.in_process import InProcess
from tests.support.worlds.website import Visitor, Website
from workers.curate.advice import OF_READING

SOURCE = "file:///data/reviews.csv"
ROW = "the very words of a row"
HOSTILE = '"><script>alert(1)</script>{{ 7*7 }}'
LEFT_OUT = {"duplicate": 12, "too_many_words": 3, "undecodable": 1}


@pytest.fixture
def viewer(web: Website) -> Visitor:
    return web.sign_in("viewer")


def plant(site: InProcess, number: int = 1, parent: Any = None, **changes: Any) -> Any:
    """A version as a curation with the default operators left it, whose job says more than is shown."""
    spec = curate_spec(source_at(SOURCE), seed=17)
    made = curated(f"rows {number}", **{"rejected": LEFT_OUT, "warnings": [f"look at {ROW}"], **changes})
    with site.database.begin("test") as uow:
        row = plant_dataset(uow, uuid4(), number, made)
        row.parent = parent
        job = uow.session.get_one(JobRow, row.job_id)
        job.spec = spec.model_dump(mode="json", exclude_none=True)
        return row.id


def test_without_datasets_the_next_command_is_said(viewer: Visitor) -> None:
    assert "graftwork dataset import" in viewer.page("/datasets").words


def test_the_list_leads_to_versions_with_their_counts(viewer: Visitor, site: InProcess) -> None:
    plant(site, 1)
    assert "/datasets/reviews" in viewer.page("/datasets").links
    shown, found = viewer.page("/datasets/reviews"), viewer.twin("/datasets/reviews")
    assert "duplicate 12, too_many_words 3, undecodable 1" in shown.words
    [version] = found["versions"]
    assert version["digest"] in shown.words
    assert f"/jobs/{version['job_id']}" in shown.links
    assert "/datasets/reviews/1" in shown.links


def test_a_version_says_what_was_done_and_what_was_left_out(viewer: Visitor, site: InProcess) -> None:
    plant(site, 2, parent=plant(site, 1))
    shown, found = viewer.page("/datasets/reviews/2"), viewer.twin("/datasets/reviews/2")
    assert [one["op"] for one in found["operators"]][-1] == "split"
    assert 'within "source"' in shown.words
    assert found["left_out"][0] == {
        "reason": "duplicate",
        "rows": 12,
        "by": ["deduplicate"],
        "advice": "their texts are there already; nothing to do unless the text column is the wrong one",
    }
    assert found["left_out"][-1]["by"] == ["reading"]
    assert SOURCE in shown.words
    assert "/datasets/reviews/1" in shown.links
    assert "graftwork dataset rejects reviews/2" in shown.words


def test_a_reason_that_reading_has_too_is_not_put_down_to_the_operator(viewer: Visitor, site: InProcess) -> None:
    plant(site, rejected={"too_long": 2})
    assert viewer.twin("/datasets/reviews/1")["left_out"][0]["by"] == ["text_length", "reading"]
    assert {reason for one in OPERATORS for reason in one.REJECTS} & OF_READING.keys() == READING_TOO


def test_nothing_of_a_row_is_shown(viewer: Visitor, site: InProcess) -> None:
    plant(site)
    for path in ("/datasets", "/datasets/reviews", "/datasets/reviews/1"):
        assert ROW not in viewer.page(path).html
        assert ROW not in viewer.get(path, params={"format": "json"}).text


def test_versions_and_jobs_lead_there(viewer: Visitor, site: InProcess) -> None:
    dataset = plant(site)
    site.version()
    with site.database.begin("test") as uow:
        row = uow.session.exec(select(ModelVersionRow)).one()
        row.datasets = [str(dataset)]
        [curation] = uow.session.exec(select(JobRow).where(JobRow.kind == "curate")).all()
        curation.outputs = {"dataset": str(dataset)}
        job = curation.id
    assert "/datasets/reviews/1" in viewer.page("/models/sentiment/1").links
    assert "/datasets/reviews" in viewer.page(f"/jobs/{job}").links


def test_what_there_is_not_is_404(viewer: Visitor, site: InProcess) -> None:
    plant(site)
    for path in ("/datasets/none", "/datasets/reviews/9", "/datasets/reviews/x"):
        assert viewer.get(path).status_code in (404, 422), path


def test_a_reason_that_a_worker_made_up_is_text(viewer: Visitor, site: InProcess) -> None:
    plant(site, rejected={HOSTILE: 3})
    for path in ("/datasets/reviews", "/datasets/reviews/1"):
        shown = viewer.page(path)
        assert "<script>alert" not in shown.html
        assert HOSTILE in shown.words
