"""An attachment in one line, as its kind says it."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from controlplane.cli.verbs.models import words
from schemas.evidence import Finding
from schemas.views.models import AttachmentView
from tests.support.builders.artifacts import digest
from tests.support.builders.results import attacked, beside, evaluated, evaluated_text, exported, interval

VERSION, OTHER, DIGEST = UUID(int=1), UUID(int=2), digest("an attachment")


def attached(kind: str, result: Finding) -> AttachmentView:
    return AttachmentView(
        id=UUID(int=9),
        kind=kind,
        digest=DIGEST,
        data=result.model_dump(mode="json"),
        dataset_version_id=None,
        job_id=UUID(int=8),
        created_at=datetime(2026, 11, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("attachment", "said"),
    [
        (
            attached("export", exported(VERSION, max_abs_diff=0.00123)),
            "in fp32: largest difference of a logit 0.0012 over 16 rows, 100.0% of answers agree",
        ),
        (
            attached("evaluate", evaluated(VERSION, 0.8, rows_trained_on=3)),
            "test: accuracy 0.8000 [0.7800, 0.8200], macro-F1 0.8000, 1000 rows, 3 of them trained on",
        ),
        (
            attached("evaluate", evaluated_text(VERSION, interval(0.25), beside(OTHER, -0.05))),
            "test: exact match 0.2500 [0.2300, 0.2700], valid_json 0.2500, token_f1 0.2500, rouge_l 0.2500, "
            "chrf 0.2500, perplexity 2.0000, 1000 rows; -0.0500 [-0.0600, -0.0400] against "
            f"{OTHER}",
        ),
        (
            attached("attack", attacked(VERSION, 0.2, beside(OTHER, 0.05), out_of_budget=7)),
            "deepwordbug on test: 200 succeeded, 800 failed, 7 out of budget, 100 skipped; success rate 0.20, at worst "
            f"0.20 [0.10, 0.30], 20 queries a row; +0.0500 [+0.0400, +0.0600] against {OTHER}",
        ),
    ],
)
def test_a_finding_is_one_line(attachment: AttachmentView, said: str) -> None:
    assert words(attachment) == said


def test_of_a_kind_that_this_client_does_not_know_the_digest_is_shown() -> None:
    assert words(attached("benchmark", exported(VERSION, max_abs_diff=0.1))) == DIGEST
