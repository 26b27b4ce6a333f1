"""Gates: what must be known about a version before it gets traffic, as pure functions of the evidence."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from controlplane.domain.evidence import (
    Attachment,
    Evidence,
    Judged,
    Sifted,
    pair_of,
    sift_attacks,
    sift_evaluations,
    sift_pairs,
    split_name,
)
from schemas.evidence import Interval, Paired
from schemas.jobs.export import ExportResult
from schemas.rollouts import ExportParity, Gate, GateStatus, GateVerdict, MaxAttackSuccess, MinAccuracy

PASSING: Final[frozenset[GateStatus]] = frozenset({"Passed", "NotApplicable", "Waived"})


def judge(gates: Sequence[Gate], evidence: Evidence, may_drop: Sequence[str] = ()) -> tuple[GateVerdict, ...]:
    """Every verdict that the listed gates call for, after the two that are always asked.

    Without a graph nothing can be served, and no label of live traffic tells of a class that a version lacks.
    """
    always = (_graph(evidence), _labels(evidence, may_drop))
    return (*always, *(verdict for gate in gates for verdict in _judge_one(gate, evidence)))


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
    absolute = GATES[gate.gate](gate, evidence)
    compare = COMPARISONS.get(gate.gate)
    if compare is None or (verdict := compare(gate, evidence)) is None:
        return (absolute,)
    return absolute, verdict


def _graph(evidence: Evidence) -> GateVerdict:
    if (served := evidence.candidate.served) is None:
        return GateVerdict(gate="graph", status="Error", reason="missing evidence: the version was never exported")
    return _said("graph", "Passed", "a served graph exists", served.digest)


def _labels(evidence: Evidence, may_drop: Sequence[str]) -> GateVerdict:
    if evidence.champion is None:
        return _not_applicable("labels")
    lacking = [label for label in evidence.champion.labels if label not in evidence.candidate.labels]
    if lost := [label for label in lacking if label not in may_drop]:
        reason = f"the champion knows {', '.join(lost)}, which the version lacks; `may_drop` of the policy allows that"
        return _said("labels", "Failed", reason)
    dropped = f", but {', '.join(lacking)}, which the policy lets it drop" if lacking else ""
    return _said("labels", "Passed", f"it knows every class that the champion knows{dropped}")


def _parity(gate: ExportParity, evidence: Evidence) -> GateVerdict:
    served = evidence.candidate.served
    if served is None or not isinstance(result := served.result, ExportResult):
        return _missing("parity", "no export of this version")
    if result.rows < gate.min_rows:
        return _missing("parity", f"it was measured on {result.rows} rows, at least {gate.min_rows} are asked")
    good = result.max_abs_diff <= gate.max_abs_diff
    reason = f"logits of the served graph differ by {result.max_abs_diff:.2g} at most, {gate.max_abs_diff:g} allowed"
    return _said("parity", "Passed" if good else "Failed", reason, served.digest)


def _accuracy(gate: MinAccuracy, evidence: Evidence) -> GateVerdict:
    sifted = sift_evaluations(gate, evidence)
    if not sifted.counting:
        return _missing("accuracy", sifted.missing(_no_rows(gate, evidence) or "no evaluation that the gate names"))
    found = _choose(gate, sifted, lambda one: one.result.accuracy.low)
    accuracy = found.result.accuracy
    status = _above(accuracy, gate.minimum)
    reason = (
        f"{_interval(accuracy)} on {found.dataset} {gate.split}, at least {gate.minimum:.1%} asked of its lower end"
        f"{_of_several(gate, sifted)}"
    )
    return _said("accuracy", status, reason, found.digest)


def _accuracy_compared(gate: MinAccuracy, evidence: Evidence) -> GateVerdict | None:
    margin, name = gate.not_below_champion_by, "accuracy against champion"
    if margin is None:
        return None
    if evidence.champion is None:
        return _not_applicable(name)
    sifted = sift_pairs(sift_evaluations(gate, evidence), evidence.champion)
    if not sifted.counting:
        return _missing(name, sifted.missing("no evaluation beside the champion on the rows that the gate names"))
    found = _choose(gate, sifted, lambda one: pair_of(one).low)
    paired = pair_of(found)
    reason = (
        f"{_difference(paired)} on {found.dataset} {gate.split}, at most {margin:.1%} below the champion asked of its "
        f"lower end{_of_several(gate, sifted)}"
    )
    return _said(name, _above(paired, -margin), reason, found.digest)


def _attack(gate: MaxAttackSuccess, evidence: Evidence) -> GateVerdict:
    sifted = sift_attacks(gate, evidence)
    if not sifted.counting:
        return _missing("attack", sifted.missing(_no_rows(gate, evidence) or "no attack that the gate names"))
    found = _choose(gate, sifted, lambda one: -one.result.worst_success_rate.high)
    result = found.result
    status = _below(result.worst_success_rate, gate.maximum)
    unknown = f", {result.out_of_budget} out of budget counted as broken" if result.out_of_budget else ""
    reason = (
        f"{gate.recipe} succeeds on {_interval(result.worst_success_rate)} of {found.dataset} {gate.split}{unknown}, "
        f"at most {gate.maximum:.1%} asked of its upper end{_of_several(gate, sifted)}"
    )
    return _said("attack", status, reason, found.digest)


def _attack_compared(gate: MaxAttackSuccess, evidence: Evidence) -> GateVerdict | None:
    margin, name = gate.not_above_champion_by, "attack against champion"
    if margin is None:
        return None
    if evidence.champion is None:
        return _not_applicable(name)
    sifted = sift_pairs(sift_attacks(gate, evidence), evidence.champion)
    if not sifted.counting:
        return _missing(name, sifted.missing("no attack beside the champion on the rows that the gate names"))
    found = _choose(gate, sifted, lambda one: -pair_of(one).high)
    paired = pair_of(found)
    reason = (
        f"{gate.recipe} succeeds by {_difference(paired)}, at most {margin:.1%} above the champion asked of its "
        f"upper end{_of_several(gate, sifted)}"
    )
    return _said(name, _below(paired, margin), reason, found.digest)


GATES: Final[dict[str, Callable[[Any, Evidence], GateVerdict]]] = {
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


def _choose(
    gate: MinAccuracy | MaxAttackSuccess, sifted: Sifted[Judged], goodness: Callable[[Attachment[Judged]], float]
) -> Attachment[Judged]:
    """The worst of those that count, or the first, as the policy says."""
    return sifted.counting[0] if gate.of == "first" else min(sifted.counting, key=goodness)


def _above(interval: Interval | Paired, bound: float) -> GateStatus:
    if interval.low >= bound:
        return "Passed"
    return "Failed" if interval.high < bound else "Inconclusive"


def _below(interval: Interval | Paired, bound: float) -> GateStatus:
    if interval.high <= bound:
        return "Passed"
    return "Failed" if interval.low > bound else "Inconclusive"


def _no_rows(gate: MinAccuracy | MaxAttackSuccess, evidence: Evidence) -> str | None:
    return None if split_name(gate) in evidence.splits else f"there are no rows {split_name(gate)}"


def _of_several(gate: MinAccuracy | MaxAttackSuccess, sifted: Sifted[Any]) -> str:
    return f" ({gate.of} of {len(sifted.counting)} results)" if len(sifted.counting) > 1 else ""


def _difference(paired: Paired) -> str:
    return f"{paired.difference:+.1%} ({paired.low:+.1%} to {paired.high:+.1%}, {paired.n} rows)"


def _interval(interval: Interval) -> str:
    return f"{interval.value:.1%} ({interval.low:.1%} to {interval.high:.1%}, {interval.n} rows)"


def _said(gate: str, status: GateStatus, reason: str, *evidence: str) -> GateVerdict:
    return GateVerdict(gate=gate, status=status, reason=reason, evidence=evidence)


def _missing(gate: str, what: str) -> GateVerdict:
    return GateVerdict(gate=gate, status="Error", reason=f"missing evidence: {what}")


def _not_applicable(gate: str) -> GateVerdict:
    return GateVerdict(gate=gate, status="NotApplicable", reason="a first release: nothing serves yet to compare with")
