"""A metric gate asks one measurement: the one of its metric and slice, at its worse end, and no other."""

from typing import Any
from uuid import UUID

import pytest

from controlplane.domain.evidence import Attachment, Evidence, VersionEvidence
from controlplane.domain.gates import judge
from schemas.evidence import AtLeast, Interval, Measurement
from schemas.gates import MetricGate
from schemas.jobs import JOB_KINDS, RESULTS, SPECS
from schemas.jobs.attack import AttackStrength
from schemas.metrics import METRICS, Direction, MetricName
from schemas.rollouts import GateVerdict
from tests.support.builders import results
from tests.support.builders.artifacts import digest
from tests.support.builders.models import LABELS
from tests.support.builders.results import DEEPWORDBUG, beside, interval, measurement
from workers.tasks.text_generation.scores import MEANS

VERSION, CHAMPION = UUID(int=1), UUID(int=2)
ROWS = digest("rows of reviews/1 test")
SUBJECTS: list[tuple[MetricName, str | None]] = [
    (metric, slice_)
    for metric, known in METRICS.items()
    for slice_ in (LABELS if known.sliced_by == "label" else (None,))
]
BY_COUNTS: dict[MetricName, int] = {
    "accuracy": 1, "recall": 1, "exact_match": 1, "valid_json": 1, "attack_success_rate_at_worst": -1,
}  # fmt: skip
"""Compared by how many rows; 1: more is better."""
BY_MEANS: dict[MetricName, int] = {**dict.fromkeys(MEANS, 1), "perplexity": -1}
"""Compared by the difference of their means."""
ENDS: dict[Direction, dict[str, float]] = {
    "maximize": {"good": 0.9, "bad": 0.1},
    "minimize": {"good": 0.1, "bad": 0.9},
}


def value_of(metric: str, found: Interval) -> dict[str, float]:
    """A share as a value of the metric: a perplexity is as much above the 1 that it begins at."""
    low = METRICS[metric].low  # type: ignore[index]
    return {"value": low + found.value, "low": low + found.low, "high": low + found.high, "n": found.n}


def gate(metric: MetricName, slice_: str | None = None, **fields: Any) -> MetricGate:
    """Asks half of all, at least or at most."""
    known = METRICS[metric]
    bound = {"minimum" if known.direction == "maximize" else "maximum": known.low + 0.5}
    attack = {"attack": DEEPWORDBUG} if known.kind == "attack" else {}
    asked = {"metric": metric, "slice": slice_, "dataset": "reviews", "min_rows": 10}
    return MetricGate(**asked | bound | attack | fields)


def measured(*changed: Measurement, other: str = "good", **said: Any) -> list[Attachment[Any]]:
    """An evaluation of either task and an attack: every measurement good, or bad, but those that are `changed`."""
    by_subject = {one.subject: one for one in changed}
    found = (
        results.evaluated(VERSION, 0.5, **said),
        results.evaluated_text(VERSION, interval(0.5), **said),
        results.attacked(VERSION, 0.5, **said),
    )
    return [
        Attachment(
            digest=digest(one.kind),
            dataset="reviews/1",
            rows=ROWS,
            result=one.model_copy(
                update={"measurements": tuple(by_subject.get(m.subject) or valued(m, other) for m in one.measurements)}
            ),
        )
        for one in found
    ]


def valued(one: Measurement, how: str) -> Measurement:
    return one.model_copy(update=value_of(one.metric, interval(ENDS[one.direction][how])))


def subject(metric: MetricName, slice_: str | None, how: str, **changes: Any) -> Measurement:
    share = interval(ENDS[METRICS[metric].direction][how])
    return measurement(metric, share, slice_, **value_of(metric, share) | changes)


def verdicts(asked: MetricGate, attachments: list[Attachment[Any]], champion: UUID | None = None) -> list[GateVerdict]:
    def learnt(version: UUID, found: list[Attachment[Any]]) -> VersionEvidence:
        export = Attachment(digest=digest(f"export of {version}"), result=results.exported(version))
        return VersionEvidence(version=version, recorded=results.recorded(), attachments=(export, *found))

    evidence = Evidence(
        candidate=learnt(VERSION, attachments),
        champion=learnt(champion, []) if champion else None,
        splits={"reviews/1 test": ROWS},
    )
    return list(judge([asked], evidence)[2:])


@pytest.mark.parametrize(("metric", "slice_"), SUBJECTS, ids=str)
def test_its_own_measurement_decides_and_no_other(metric: MetricName, slice_: str | None) -> None:
    asked = gate(metric, slice_)
    for how, status in (("good", "Passed"), ("bad", "Failed")):
        others = "bad" if how == "good" else "good"
        [verdict] = verdicts(asked, measured(subject(metric, slice_, how), other=others))
        assert (verdict.gate, verdict.status) == (asked.subject, status)
        assert verdict.evidence == (digest(METRICS[metric].kind),)


@pytest.mark.parametrize(("metric", "slice_"), SUBJECTS, ids=str)
def test_the_worse_end_of_the_interval_decides(metric: MetricName, slice_: str | None) -> None:
    across = measurement(metric, interval(0.5), slice_, **value_of(metric, interval(0.5)))
    assert [v.status for v in verdicts(gate(metric, slice_), measured(across))] == ["Inconclusive"]


@pytest.mark.parametrize(
    ("metric", "wide", "bound"),
    [
        ("accuracy", interval(0.9, low=0.6, high=1), {"minimum": 0.65}),
        ("attack_success_rate_at_worst", interval(0.5, low=0, high=0.9), {"maximum": 0.85}),
    ],
)
def test_of_several_the_one_with_the_worst_end_decides_whatever_its_other_end(
    metric: MetricName, wide: Interval, bound: dict[str, float]
) -> None:
    narrow = measurement(metric, interval(0.75, 0.05))
    found = [*measured(measurement(metric, wide)), *measured(narrow)]
    for several in (found, found[::-1]):
        [verdict] = verdicts(gate(metric, **bound), several)
        assert verdict.status == "Inconclusive"


@pytest.mark.parametrize("slice_", LABELS)
def test_a_label_is_compared_with_the_champion_by_its_own_rows(slice_: str) -> None:
    """The other label's rows say the opposite, and so do the rows of all labels."""
    asked = gate("recall", slice_, not_worse_than_champion_by=0.02)
    (opposite,) = (label for label in LABELS if label != slice_)
    for difference, status in ((-0.3, "Failed"), (0.3, "Passed")):
        its, theirs = beside(CHAMPION, difference), beside(CHAMPION, -difference)
        found = measured(
            subject("accuracy", None, "good", paired=theirs.paired),
            subject("recall", slice_, "good", paired=its.paired),
            subject("recall", opposite, "good", paired=theirs.paired),
            beside=its,
        )
        assert [v.status for v in verdicts(asked, found, CHAMPION)] == ["Passed", status]


@pytest.mark.parametrize(("metric", "better"), BY_COUNTS.items())
def test_better_than_the_champion_passes_and_worse_fails(metric: MetricName, better: int) -> None:
    slice_ = LABELS[0] if METRICS[metric].sliced_by else None
    asked = gate(metric, slice_, not_worse_than_champion_by=0)
    for difference, status in ((0.2 * better, "Passed"), (-0.2 * better, "Failed"), (0.0, "Inconclusive")):
        other = beside(CHAMPION, difference)
        found = measured(subject(metric, slice_, "good", paired=other.paired), beside=other)
        assert [v.status for v in verdicts(asked, found, CHAMPION)] == ["Passed", status], difference


@pytest.mark.parametrize(("metric", "better"), BY_MEANS.items())
def test_means_are_compared_by_their_own_differences(metric: MetricName, better: int) -> None:
    asked = gate(metric, not_worse_than_champion_by=0)
    for difference, status in ((0.2 * better, "Passed"), (-0.2 * better, "Failed"), (0.0, "Inconclusive")):
        pair = results.paired_mean(difference)
        found = measured(subject(metric, None, "good", paired=pair), beside=beside(CHAMPION, -difference))
        assert [v.status for v in verdicts(asked, found, CHAMPION)] == ["Passed", status], difference


def test_a_perplexity_is_told_as_a_number_and_a_share_as_a_percentage() -> None:
    perplexity, exact = (
        verdicts(gate(metric), measured(subject(metric, None, "good")))[0].reason
        for metric in ("perplexity", "exact_match")
    )
    assert perplexity.startswith("1.1 (1.08 to 1.12, 1000 rows)")
    assert "at most 1.5 asked of its upper end" in perplexity
    assert exact.startswith("90.0% (88.0% to 92.0%, 1000 rows)")


def test_every_metric_that_is_compared_is_tested_beside_the_champion() -> None:
    assert {name for name, known in METRICS.items() if known.paired} == BY_COUNTS.keys() | BY_MEANS.keys()


def test_a_label_that_was_not_measured_is_missing_evidence() -> None:
    [verdict] = verdicts(gate("recall", "mixed"), measured())
    assert verdict.status == "Error"
    assert verdict.reason == (
        "missing evidence: no evaluate result that the gate names; what does not count: "
        "reviews/1 test: it measured no recall of mixed; reviews/1 test: it measured no recall of mixed"
    )


@pytest.mark.parametrize("metric", ["recall", "attack_success_rate_at_worst"])
def test_few_rows_of_the_measurement_are_few_however_many_were_asked(metric: MetricName) -> None:
    slice_ = LABELS[0] if METRICS[metric].sliced_by else None
    found = measured(subject(metric, slice_, "good", n=9))
    assert [v.status for v in verdicts(gate(metric, slice_), found)] == ["Error"]
    assert [v.status for v in verdicts(gate(metric, slice_, min_rows=9), found)] == ["Passed"]


@pytest.mark.parametrize(
    ("asked", "said", "status"),
    [
        ({}, {}, "Passed"),
        ({}, {"queries_per_word": 11}, "Passed"),
        ({}, {"queries_per_word": 9}, "Error"),
        ({"query_budget": 200}, {"query_budget": 201}, "Passed"),
        ({"query_budget": 200}, {"query_budget": 199}, "Error"),
        ({"query_budget": 200}, {}, "Passed"),
        ({}, {"query_budget": 1_000_000}, "Error"),
        ({"seed": 3}, {"seed": 3}, "Passed"),
        ({"seed": 3}, {"seed": 4}, "Error"),
        ({}, {"recipe": "another"}, "Error"),
    ],
    ids=str,
)
@pytest.mark.parametrize("metric", [name for name, known in METRICS.items() if known.kind == "attack"])
def test_an_attack_counts_when_it_is_at_least_as_strong(
    metric: MetricName, asked: dict[str, Any], said: dict[str, Any], status: str
) -> None:
    found = [
        one if one.result.kind != "attack" else one.model_copy(update={"result": weakened(one.result, said)})
        for one in measured()
    ]
    assert [v.status for v in verdicts(gate(metric, attack=DEEPWORDBUG | asked), found)] == [status]


def weakened(result: Any, said: dict[str, Any]) -> Any:
    return result.model_copy(update={"conditions": result.conditions.model_copy(update=said)})


def test_what_a_gate_asks_of_an_attack_is_what_a_spec_says_and_a_result_repeats() -> None:
    asked = set(AttackStrength.model_fields)
    assert asked <= set(SPECS["attack"].model_fields)
    conditions = RESULTS["attack"].model_fields["conditions"].annotation
    assert asked <= set(conditions.model_fields)
    marked = {name for name, field in AttackStrength.model_fields.items() if AtLeast() in field.metadata}
    assert marked == {"queries_per_word", "query_budget"}


def test_every_metric_is_measured_by_a_kind_and_has_a_range() -> None:
    assert {known.kind for known in METRICS.values()} <= set(JOB_KINDS)
    assert all(known.low < known.high and known.words for known in METRICS.values())
