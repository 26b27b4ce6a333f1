"""Evaluation of a served graph: what it counts, and what it refuses."""

import json
from typing import Any

import pytest

from schemas.claims import Progress
from schemas.evidence import Conditions, Paired
from schemas.jobs.evaluate import EvaluateResult
from tests.support.builders.models import identified_as, model_ref
from tests.support.builders.specs import evaluate_spec
from tests.support.workbench import Workbench
from workers.data.rows import row_digest
from workers.evaluate.handler import handle
from workers.runtime.errors import JobError


def test_an_evaluation_counts_what_the_graph_answers(bench: Workbench) -> None:
    served = bench.served()
    rows = [("good plot", "positive"), ("awful plot", "negative"), ("great scene", "negative"), ("bad", "negative")]
    dataset = bench.dataset(test=rows, train=[("good", "positive")])
    spec = evaluate_spec(served.model, served.graph, dataset=dataset, batch_size=3)
    result = handle(spec, bench.context())
    found = {one.subject: one for one in result.measurements}
    assert (found["accuracy"].value, found["accuracy"].n) == (0.75, 4)
    assert found["recall of negative"].value == pytest.approx(2 / 3)
    assert found["precision of negative"].value == 1
    assert found["precision of positive"].value == 0.5
    assert found["macro_f1"].value == pytest.approx((0.8 + 2 / 3) / 2)
    assert found["recall of negative"].n == 3
    steps = [report for report in bench.reports if isinstance(report, Progress) and report.total]
    assert [(step.step, step.total, step.message) for step in steps] == [(3, 4, "split test"), (4, 4, "split test")]


def test_an_evaluation_says_which_rows_it_asked_whatever_their_order(bench: Workbench) -> None:
    served = bench.served()
    rows = [("good plot", "positive"), ("awful plot", "negative")]

    def digest_of(split: list[Any]) -> str | None:
        dataset = bench.dataset(test=split)
        spec = evaluate_spec(served.model, served.graph, dataset=dataset)
        return handle(spec, bench.context()).rows_digest

    assert digest_of(rows) == digest_of(rows[::-1]) is not None
    assert digest_of(rows) != digest_of([*rows, ("fine", "positive")])
    assert digest_of(rows) != digest_of([("good plot", "negative"), rows[1]])
    assert digest_of(rows) != digest_of([("fine plot", "positive"), rows[1]])


def test_an_evaluation_keeps_which_rows_were_right_and_no_text(bench: Workbench) -> None:
    served = bench.served()
    rows = [("good plot", "positive"), ("great scene", "negative")]
    spec = evaluate_spec(served.model, served.graph, dataset=bench.dataset(test=rows))
    result = handle(spec, bench.context())
    kept = bench.artifacts.read(result.outcomes).decode()
    right = {line["row"]: line["right"] for line in map(json.loads, kept.splitlines())}
    assert right == {row_digest(*rows[0]): True, row_digest(*rows[1]): False}
    assert kept == "".join(sorted(kept.splitlines(keepends=True)))
    assert result.outcomes.media_type == "application/jsonl"
    assert "good" not in kept
    assert result.conditions == Conditions.of(spec)
    assert result.conditions.graph == served.graph
    assert [one.paired for one in result.measurements] == [None] * len(result.measurements)


def test_rows_that_the_version_was_trained_on_are_counted_whatever_their_dataset_is_called(bench: Workbench) -> None:
    """As curation tells equal texts: a capital letter or a full stop makes no other row."""
    served = bench.served()
    rows = [("good", "positive"), ("very great", "positive"), ("awful", "negative"), ("so bad", "negative")]
    dataset = bench.dataset(train=[("never asked", "positive")], test=rows)
    cheat = bench.dataset(train=[("Very GREAT.", "positive")], test=[("good", "positive")])
    other = bench.dataset(train=[("awful", "negative"), ("so bad", "positive"), ("so", "positive")])

    def counted(*trained_on: Any, split: str = "test") -> int:
        spec = evaluate_spec(served.model, served.graph, dataset=dataset, split=split, trained_on=trained_on)
        return handle(spec, bench.context()).rows_trained_on

    assert counted() == counted(dataset) == 0
    assert counted(dataset, split="train") == 1
    assert (counted(cheat), counted(other), counted(dataset, cheat, other)) == (1, 2, 3)


def beside(result: EvaluateResult) -> Paired | None:
    accuracy = result.measured("accuracy")
    assert accuracy is not None
    return accuracy.paired


def test_two_versions_are_asked_the_same_rows_one_by_one(bench: Workbench) -> None:
    served = bench.served()
    # The same graph with its labels in the other order answers the opposite: right where this version is wrong.
    other = identified_as(served.graph, task={"labels": served.graph.identity.task.labels[::-1]})
    against = model_ref(2, identity=other.identity)
    rows = [("good", "positive"), ("great", "positive"), ("awful", "negative"), ("bad", "positive")]
    dataset = bench.dataset(test=rows)
    spec = evaluate_spec(served.model, served.graph, dataset=dataset, against=against, against_graph=other)
    result = handle(spec, bench.context())
    assert (result.conditions.against, result.conditions.against_graph) == (against.id, other)
    paired = beside(result)
    assert paired is not None
    assert (paired.both, paired.only_this, paired.only_other, paired.neither) == (0, 3, 1, 0)
    assert paired.difference == 0.5
    told = [report.message for report in bench.reports if isinstance(report, Progress)]
    assert told[1:] == [
        "loading the graph",
        "split test",
        "loading the graph by the other version",
        "split test by the other version",
    ]
    assert beside(handle(spec.model_copy(update={"against_graph": None}), bench.context())) is None
    unknown = identified_as(other, task={"labels": ("negative", "joyful")})
    spec = spec.model_copy(update={"against_graph": unknown})
    found = beside(handle(spec, bench.context()))
    assert found is not None
    assert (found.only_this, found.neither) == (2, 1)  # a label that the other does not know is one that it gets wrong
    assert found.both == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "dataset reviews/1 split test has no rows"),
        (
            [("good", "sad"), ("bad", "angry"), ("so", "positive")],
            "dataset reviews/1 split test has labels that the model does not know: angry, sad",
        ),
    ],
)
def test_a_split_that_cannot_be_scored_is_refused(bench: Workbench, rows: list[Any], message: str) -> None:
    served = bench.served()
    spec = evaluate_spec(served.model, served.graph, dataset=bench.dataset(test=rows))
    with pytest.raises(JobError) as refused:
        handle(spec, bench.context())
    assert str(refused.value) == message


def test_a_version_without_an_export_is_refused(bench: Workbench) -> None:
    served = bench.served()
    dataset = bench.dataset(test=[("good", "positive")])
    with pytest.raises(JobError, match=r"^graph: expected the version's export; export it first$"):
        handle(evaluate_spec(served.model, dataset=dataset), bench.context())
