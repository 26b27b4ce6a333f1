"""Gates: each status from planted evidence, and what no evidence means."""

from uuid import UUID, uuid4

import pytest

from controlplane.domain.canonical import digest
from controlplane.domain.gates import Attack, Evaluation, Evidence, Export, Learnt, judge, passed, summarize, waive
from schemas.rollouts import ExportParity, Gate, MaxAttackSuccess, MinAccuracy
from tests.support.releases import DATASET, attack, evaluation, export

VERSION, OTHER_ROWS = UUID(int=1), UUID(int=8)


def exports(max_abs_diff: float = 1e-5) -> tuple[Export, ...]:
    return (Export(digest=digest(max_abs_diff), result=export(VERSION, max_abs_diff)),)


def evaluations(accuracy: float, **where: object) -> tuple[Evaluation, ...]:
    result = evaluation(VERSION, accuracy, **where)  # type: ignore[arg-type]
    return (Evaluation(digest=digest(str(uuid4())), result=result),)


def attacks(success: float, dataset: UUID = DATASET) -> tuple[Attack, ...]:
    return (Attack(digest=digest(str(uuid4())), result=attack(VERSION, success, dataset=dataset)),)


def statuses(gate: Gate, candidate: Learnt, champion: Learnt | None = None) -> list[str]:
    """Of the gate alone, without the graph that is always asked for."""
    return [verdict.status for verdict in judge([gate], Evidence(candidate=candidate, champion=champion))[1:]]


def test_no_evidence_never_passes() -> None:
    gates = [MinAccuracy(minimum=0), MaxAttackSuccess(maximum=1), ExportParity()]
    verdicts = judge(gates, Evidence(candidate=Learnt(), champion=None))
    assert [verdict.status for verdict in verdicts] == ["Error"] * 4
    assert not passed(verdicts)
    assert summarize(verdicts).count("missing evidence") == 4


@pytest.mark.parametrize(
    ("accuracy", "status"),
    [(0.83, "Passed"), (0.80, "Inconclusive"), (0.77, "Failed")],
    ids=["lower end above", "interval across", "upper end below"],
)
def test_accuracy_is_judged_by_its_interval(accuracy: float, status: str) -> None:
    assert statuses(MinAccuracy(minimum=0.80), Learnt(evaluations=evaluations(accuracy))) == [status]


@pytest.mark.parametrize(("success", "status"), [(0.3, "Passed"), (0.5, "Inconclusive"), (0.7, "Failed")])
def test_attack_success_is_judged_by_its_interval(success: float, status: str) -> None:
    assert statuses(MaxAttackSuccess(maximum=0.5), Learnt(attacks=attacks(success))) == [status]


@pytest.mark.parametrize(("difference", "status"), [(1e-4, "Passed"), (1e-2, "Failed")])
def test_parity(difference: float, status: str) -> None:
    assert statuses(ExportParity(), Learnt(exports=exports(difference))) == [status]


def test_a_score_on_training_rows_is_no_evidence() -> None:
    assert statuses(MinAccuracy(minimum=0.1), Learnt(evaluations=evaluations(0.99, split="train"))) == ["Error"]


def test_test_rows_are_judged_before_validation_rows() -> None:
    found = (*evaluations(0.9, split="validation"), *evaluations(0.5, split="test"))
    assert statuses(MinAccuracy(minimum=0.8), Learnt(evaluations=found)) == ["Failed"]


def test_a_first_release_is_not_compared() -> None:
    gate = MinAccuracy(minimum=0.5, not_below_champion_by=0.01)
    assert statuses(gate, Learnt(evaluations=evaluations(0.8))) == ["Passed", "NotApplicable"]


@pytest.mark.parametrize(("mine", "status"), [(0.79, "Passed"), (0.75, "Failed")])
def test_accuracy_is_compared_on_the_same_rows(mine: float, status: str) -> None:
    gate = MinAccuracy(minimum=0.5, not_below_champion_by=0.02)
    candidate, champion = Learnt(evaluations=evaluations(mine)), Learnt(evaluations=evaluations(0.8))
    assert statuses(gate, candidate, champion) == ["Passed", status]


@pytest.mark.parametrize("where", [{"dataset": OTHER_ROWS}, {"split": "validation"}], ids=["dataset", "split"])
def test_a_champion_that_was_asked_other_rows_is_missing_evidence(where: dict[str, object]) -> None:
    gate = MinAccuracy(minimum=0.5, not_below_champion_by=0.02)
    candidate, champion = Learnt(evaluations=evaluations(0.9)), Learnt(evaluations=evaluations(0.5, **where))
    assert statuses(gate, candidate, champion) == ["Passed", "Error"]


def test_another_version_of_the_dataset_with_the_same_rows_is_compared() -> None:
    def asked(accuracy: float, dataset: UUID, rows: str) -> Learnt:
        (found,) = evaluations(accuracy, dataset=dataset)
        result = found.result.model_copy(update={"rows_digest": digest(rows)})
        return Learnt(evaluations=(found.model_copy(update={"result": result}),))

    gate, champion = MinAccuracy(minimum=0.5, not_below_champion_by=0.02), asked(0.8, DATASET, "these rows")
    assert statuses(gate, asked(0.79, OTHER_ROWS, "these rows"), champion) == ["Passed", "Passed"]
    assert statuses(gate, asked(0.75, OTHER_ROWS, "these rows"), champion) == ["Passed", "Failed"]
    assert statuses(gate, asked(0.79, OTHER_ROWS, "other rows"), champion) == ["Passed", "Error"]


def test_attacks_are_compared_on_the_same_rows() -> None:
    gate = MaxAttackSuccess(maximum=1, not_above_champion_by=0.05)
    candidate = Learnt(attacks=attacks(0.6))
    assert statuses(gate, candidate, Learnt(attacks=attacks(0.58))) == ["Passed", "Passed"]
    assert statuses(gate, candidate, Learnt(attacks=attacks(0.4))) == ["Passed", "Failed"]
    assert statuses(gate, candidate, Learnt(attacks=attacks(0.58, OTHER_ROWS))) == ["Passed", "Error"]


def test_a_stronger_attack_is_not_compared_with_a_weaker_one() -> None:
    gate = MaxAttackSuccess(maximum=1, not_above_champion_by=0.05)
    [found] = attacks(0.58)
    weaker = found.model_copy(update={"result": found.result.model_copy(update={"query_budget": 10})})
    assert statuses(gate, Learnt(attacks=(weaker,)), Learnt(attacks=(found,))) == ["Passed", "Error"]
    assert statuses(gate, Learnt(attacks=(weaker,)), Learnt(attacks=(weaker,))) == ["Passed", "Passed"]


def test_the_verdict_names_its_evidence() -> None:
    mine, theirs = evaluations(0.9), evaluations(0.8)
    gate = MinAccuracy(minimum=0.5, not_below_champion_by=0.02)
    evidence = Evidence(candidate=Learnt(evaluations=mine), champion=Learnt(evaluations=theirs))
    _, absolute, compared = judge([gate], evidence)
    assert absolute.evidence == (mine[0].digest,)
    assert compared.evidence == (mine[0].digest, theirs[0].digest)


def test_waiving_keeps_what_was_measured_and_cannot_make_a_graph() -> None:
    verdicts = judge(
        [MinAccuracy(minimum=0.9)], Evidence(candidate=Learnt(evaluations=evaluations(0.5)), champion=None)
    )
    graph, accuracy = waive(verdicts, "a drill")
    assert graph.status == "Error"
    assert accuracy.status == "Waived"
    assert "a drill" in accuracy.reason
    assert "50.0%" in accuracy.reason


def test_evidence_is_the_same_after_json() -> None:
    evidence = Evidence(candidate=Learnt(exports=exports(), attacks=attacks(0.3)), champion=Learnt())
    assert Evidence.model_validate(evidence.model_dump(mode="json")) == evidence
