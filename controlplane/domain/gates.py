"""Gates: what must be known about a version before it gets traffic, as pure functions of the evidence."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from schemas.artifacts import Digest
from schemas.jobs import AttackResult, EvaluateResult, ExportResult, Interval
from schemas.rollouts import ExportParity, Gate, GateStatus, GateVerdict, MaxAttackSuccess, MinAccuracy

JUDGED_SPLITS: Final = ("test", "validation")
"""In this order; a score on a version's own training rows proves nothing."""
Asked = EvaluateResult | AttackResult
PASSING: Final[frozenset[GateStatus]] = frozenset({"Passed", "NotApplicable", "Waived"})


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Export(_Frozen):
    digest: Digest
    result: ExportResult


class Evaluation(_Frozen):
    digest: Digest
    result: EvaluateResult


class Attack(_Frozen):
    digest: Digest
    result: AttackResult


class Learnt(_Frozen):
    """What jobs learnt about one version, newest first."""

    exports: tuple[Export, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    attacks: tuple[Attack, ...] = ()


class Evidence(_Frozen):
    candidate: Learnt
    champion: Learnt | None
    """What serves now; None: a first release, to which comparisons do not apply."""


def judge(gates: Sequence[Gate], evidence: Evidence) -> tuple[GateVerdict, ...]:
    """Every verdict that the listed gates call for. Without a graph nothing can be served: that is always asked."""
    return (_graph(evidence), *(verdict for gate in gates for verdict in _judge_one(gate, evidence)))


def passed(verdicts: Sequence[GateVerdict]) -> bool:
    return all(verdict.status in PASSING for verdict in verdicts)


def waive(verdicts: Sequence[GateVerdict], reason: str) -> tuple[GateVerdict, ...]:
    """What does not pass is waived by a named reason; only a missing graph cannot be."""
    return tuple(
        verdict
        if verdict.status in PASSING or verdict.gate == "graph"
        else verdict.model_copy(
            update={"status": "Waived", "reason": f"waived ({reason}); it was {verdict.status}: {verdict.reason}"}
        )
        for verdict in verdicts
    )


def summarize(verdicts: Sequence[GateVerdict]) -> str:
    """Why gates do not pass, or that they do, in one line."""
    stopping = [f"{v.gate} {v.status}: {v.reason}" for v in verdicts if v.status not in PASSING]
    return "; ".join(stopping) if stopping else "every gate passes"


def _judge_one(gate: Gate, evidence: Evidence) -> tuple[GateVerdict, ...]:
    absolute = GATES[gate.gate](gate, evidence.candidate)
    compare = COMPARISONS.get(gate.gate)
    if compare is None or (verdict := compare(gate, evidence)) is None:
        return (absolute,)
    return absolute, verdict


def _graph(evidence: Evidence) -> GateVerdict:
    if not evidence.candidate.exports:
        return GateVerdict(gate="graph", status="Error", reason="missing evidence: the version was never exported")
    return _said("graph", "Passed", "a served graph exists", evidence.candidate.exports[0].digest)


def _parity(gate: ExportParity, learnt: Learnt) -> GateVerdict:
    if not learnt.exports:
        return _missing("parity", "no export of this version")
    export = learnt.exports[0]
    good = export.result.max_abs_diff <= gate.max_abs_diff
    reason = (
        f"logits of the served graph differ by {export.result.max_abs_diff:.2g} at most, {gate.max_abs_diff:g} allowed"
    )
    return _said("parity", "Passed" if good else "Failed", reason, export.digest)


def _accuracy(gate: MinAccuracy, learnt: Learnt) -> GateVerdict:
    found = _judged_evaluation(learnt)
    if found is None:
        return _missing("accuracy", "no evaluation of this version on test or validation rows")
    accuracy = found.result.accuracy
    status: GateStatus = "Inconclusive"
    if accuracy.low >= gate.minimum:
        status = "Passed"
    elif accuracy.high < gate.minimum:
        status = "Failed"
    reason = f"{_interval(accuracy)} on {found.result.split}, at least {gate.minimum:.1%} asked of its lower end"
    return _said("accuracy", status, reason, found.digest)


def _accuracy_compared(gate: MinAccuracy, evidence: Evidence) -> GateVerdict | None:
    margin, name = gate.not_below_champion_by, "accuracy against champion"
    if margin is None:
        return None
    if evidence.champion is None:
        return _not_applicable(name)
    pair = _same_rows(evidence.candidate, evidence.champion)
    if pair is None:
        return _missing(name, "no evaluation of both versions on the same rows")
    mine, theirs = pair
    good = mine.result.accuracy.value >= theirs.result.accuracy.value - margin
    reason = (
        f"{mine.result.accuracy.value:.1%} against {theirs.result.accuracy.value:.1%} on {mine.result.split}, "
        f"at most {margin:.1%} below allowed"
    )
    return _said(name, "Passed" if good else "Failed", reason, mine.digest, theirs.digest)


def _attack(gate: MaxAttackSuccess, learnt: Learnt) -> GateVerdict:
    if not learnt.attacks:
        return _missing("attack", "no attack on this version")
    attack = learnt.attacks[0]
    rate = attack.result.success_rate
    status: GateStatus = "Inconclusive"
    if rate.high <= gate.maximum:
        status = "Passed"
    elif rate.low > gate.maximum:
        status = "Failed"
    reason = f"{attack.result.recipe} succeeds on {_interval(rate)}, at most {gate.maximum:.1%} asked of its upper end"
    return _said("attack", status, reason, attack.digest)


def _attack_compared(gate: MaxAttackSuccess, evidence: Evidence) -> GateVerdict | None:
    margin, name = gate.not_above_champion_by, "attack against champion"
    if margin is None:
        return None
    if evidence.champion is None:
        return _not_applicable(name)
    pair = _same_attack(evidence.candidate, evidence.champion)
    if pair is None:
        return _missing(name, "no attack on both versions with the same recipe, query budget and rows")
    mine, theirs = pair
    good = mine.result.success_rate.value <= theirs.result.success_rate.value + margin
    reason = (
        f"{mine.result.recipe} succeeds on {mine.result.success_rate.value:.1%} against "
        f"{theirs.result.success_rate.value:.1%}, at most {margin:.1%} above allowed"
    )
    return _said(name, "Passed" if good else "Failed", reason, mine.digest, theirs.digest)


GATES: Final[dict[str, Callable[[Any, Learnt], GateVerdict]]] = {
    "accuracy": _accuracy,
    "attack": _attack,
    "parity": _parity,
}
"""Gate to what it asks of the version alone."""
COMPARISONS: Final[dict[str, Callable[[Any, Evidence], GateVerdict | None]]] = {
    "accuracy": _accuracy_compared,
    "attack": _attack_compared,
}
"""Gate to what it asks of the version beside the champion; None: this policy asks nothing."""


def _judged_evaluation(learnt: Learnt) -> Evaluation | None:
    for split in JUDGED_SPLITS:
        for found in learnt.evaluations:
            if found.result.split == split:
                return found
    return None


def _same_rows(candidate: Learnt, champion: Learnt) -> tuple[Evaluation, Evaluation] | None:
    """The judged evaluation first; another one when the champion was never asked those rows."""
    for split in JUDGED_SPLITS:
        for mine in candidate.evaluations:
            for theirs in champion.evaluations:
                if mine.result.split == theirs.result.split == split and _asked_the_same(mine.result, theirs.result):
                    return mine, theirs
    return None


def _same_attack(candidate: Learnt, champion: Learnt) -> tuple[Attack, Attack] | None:
    for mine in candidate.attacks:
        for theirs in champion.attacks:
            if _strength(mine.result) == _strength(theirs.result) and _asked_the_same(mine.result, theirs.result):
                return mine, theirs
    return None


def _strength(attack: AttackResult) -> tuple[str, int | None]:
    return attack.recipe, attack.query_budget


def _asked_the_same(mine: Asked, theirs: Asked) -> bool:
    """A later version of a dataset keeps its parent's splits: other version, same rows."""
    if mine.dataset == theirs.dataset:
        return True
    return mine.rows_digest is not None and mine.rows_digest == theirs.rows_digest


def _interval(interval: Interval) -> str:
    return f"{interval.value:.1%} ({interval.low:.1%} to {interval.high:.1%}, {interval.n} rows)"


def _said(gate: str, status: GateStatus, reason: str, *evidence: str) -> GateVerdict:
    return GateVerdict(gate=gate, status=status, reason=reason, evidence=evidence)


def _missing(gate: str, what: str) -> GateVerdict:
    return GateVerdict(gate=gate, status="Error", reason=f"missing evidence: {what}")


def _not_applicable(gate: str) -> GateVerdict:
    return GateVerdict(gate=gate, status="NotApplicable", reason="a first release: nothing serves yet to compare with")
