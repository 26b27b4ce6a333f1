"""Gates: what must be known about a version before it gets traffic, as pure functions of the evidence."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from controlplane.domain.evidence import Evidence, Measured, Sifted, sift, sift_pairs, split_name
from schemas.evidence import Measurement, Paired, PairedMean
from schemas.gates import Gate, MetricGate, ParityGate
from schemas.metrics import Direction
from schemas.rollouts import GateStatus, GateVerdict

Ends = Measurement | Paired | PairedMean
"""What has an interval."""
PASSING: Final[frozenset[GateStatus]] = frozenset({"Passed", "NotApplicable", "Waived"})


def judge(gates: Sequence[Gate], evidence: Evidence, may_drop: Sequence[str] = ()) -> tuple[GateVerdict, ...]:
    """Every verdict that the listed gates call for, after the two that are always asked.

    Without a graph nothing can be served, and no label of live traffic tells of a class that a version lacks.
    """
    always = (_graph(evidence), _labels(evidence, may_drop))
    return (*always, *(verdict for gate in gates for verdict in GATES[gate.gate](gate, evidence)))


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


def _graph(evidence: Evidence) -> GateVerdict:
    if (served := evidence.candidate.served) is None:
        return GateVerdict(gate="graph", status="Error", reason="missing evidence: the version was never exported")
    return _said("graph", "Passed", "a served graph exists", served.digest)


def _labels(evidence: Evidence, may_drop: Sequence[str]) -> GateVerdict:
    if evidence.champion is None:
        return _not_applicable("labels")
    if not evidence.champion.labels:
        return _not_applicable("labels", "an answer of this task is no class")
    lacking = [label for label in evidence.champion.labels if label not in evidence.candidate.labels]
    if lost := [label for label in lacking if label not in may_drop]:
        reason = f"the champion knows {', '.join(lost)}, which the version lacks; `may_drop` of the policy allows that"
        return _said("labels", "Failed", reason)
    dropped = f", but {', '.join(lacking)}, which the policy lets it drop" if lacking else ""
    return _said("labels", "Passed", f"it knows every class that the champion knows{dropped}")


def _parity(gate: ParityGate, evidence: Evidence) -> tuple[GateVerdict, ...]:
    served = evidence.candidate.served
    if served is None:
        return (_missing("parity", "no export of this version"),)
    found = served.result
    if found.rows < gate.min_rows:
        return (_missing("parity", f"it was measured on {found.rows} rows, at least {gate.min_rows} are asked"),)
    precision = found.graph.precision
    if (bounds := gate.bounds(precision)) is None:
        reason = f"the served graph is in {precision}, for which the gate has no bounds: its `{precision}` is null"
        return (_said("parity", "Failed", reason, served.digest),)
    good = found.max_abs_diff <= bounds.max_abs_diff and found.agreement >= bounds.min_agreement
    reason = (
        f"logits of the served graph, in {precision}, differ by {found.max_abs_diff:.2g} at most, "
        f"{bounds.max_abs_diff:g} allowed; {found.agreement:.1%} of its answers agree, at least "
        f"{bounds.min_agreement:.1%} asked"
    )
    return (_said("parity", "Passed" if good else "Failed", reason, served.digest),)


def _metric(gate: MetricGate, evidence: Evidence) -> tuple[GateVerdict, ...]:
    sifted = sift(gate, evidence)
    alone = _alone(gate, evidence, sifted)
    if gate.not_worse_than_champion_by is None:
        return (alone,)
    return alone, _beside(gate, gate.not_worse_than_champion_by, evidence, sifted)


def _alone(gate: MetricGate, evidence: Evidence, sifted: Sifted) -> GateVerdict:
    """What is asked of the version alone."""
    if not sifted.counting:
        rows = None if split_name(gate) in evidence.splits else f"there are no rows {split_name(gate)}"
        return _missing(gate.subject, sifted.missing(rows or f"no {gate.definition.kind} result that the gate names"))
    found = _choose(gate, sifted, lambda one: one.measurement)
    measurement = found.measurement
    unknown = f", {measurement.unknown} unknown counted against the version" if measurement.unknown else ""
    least, end = ("at least", "lower") if gate.definition.direction == "maximize" else ("at most", "upper")
    reason = (
        f"{_interval(gate, measurement)} {_where(gate, found)}{unknown}, "
        f"{least} {_number(gate, gate.bound)} asked of its {end} end"
        f"{_of_several(gate, sifted)}"
    )
    status = _status(gate.definition.direction, measurement, gate.bound)
    return _said(gate.subject, status, reason, found.attachment.digest)


def _beside(gate: MetricGate, margin: float, evidence: Evidence, sifted: Sifted) -> GateVerdict:
    """What is asked of the version beside the champion."""
    name, kind = f"{gate.subject} against champion", gate.definition.kind
    if evidence.champion is None:
        return _not_applicable(name)
    sifted = sift_pairs(sifted, evidence.champion)
    if not sifted.counting:
        return _missing(name, sifted.missing(f"no {kind} result beside the champion on the rows that the gate names"))
    found = _choose(gate, sifted, lambda one: one.paired)
    side, end, bound = (
        ("below", "lower", -margin) if gate.definition.direction == "maximize" else ("above", "upper", margin)
    )
    reason = (
        f"{_difference(gate, found.paired)} {_where(gate, found)}, "
        f"at most {_number(gate, margin)} {side} the champion asked of its {end} end{_of_several(gate, sifted)}"
    )
    return _said(name, _status(gate.definition.direction, found.paired, bound), reason, found.attachment.digest)


GATES: Final[dict[str, Callable[[Any, Evidence], tuple[GateVerdict, ...]]]] = {"metric": _metric, "parity": _parity}
"""Gate to its verdicts."""


def _choose(gate: MetricGate, sifted: Sifted, ends: Callable[[Measured], Ends]) -> Measured:
    """The one of those that count whose worse end is the worst, or the first, as the policy says."""
    if gate.of == "first":
        return sifted.counting[0]
    if gate.definition.direction == "maximize":
        return min(sifted.counting, key=lambda one: ends(one).low)
    return max(sifted.counting, key=lambda one: ends(one).high)


def _status(direction: Direction, found: Ends, bound: float) -> GateStatus:
    """The worse end decides whether it passes; when the better one does not reach the bound either, it fails."""
    low, high = found.low, found.high
    good, bad = (low >= bound, high < bound) if direction == "maximize" else (high <= bound, low > bound)
    if good:
        return "Passed"
    return "Failed" if bad else "Inconclusive"


def _where(gate: MetricGate, found: Measured) -> str:
    """On which rows, and under which of the conditions that the gate asks."""
    asked = type(gate.conditions).model_fields if gate.conditions else ()
    said = ", ".join(f"{name} {value}" for name in asked if (value := getattr(found.conditions, name)) is not None)
    return f"on {found.attachment.dataset} {gate.split}" + (f" with {said}" if said else "")


def _of_several(gate: MetricGate, sifted: Sifted) -> str:
    return f" ({gate.of} of {len(sifted.counting)} results)" if len(sifted.counting) > 1 else ""


def _difference(gate: MetricGate, paired: Paired | PairedMean) -> str:
    value, low, high = (_number(gate, number, "+") for number in (paired.difference, paired.low, paired.high))
    return f"{value} ({low} to {high}, {paired.n} rows)"


def _interval(gate: MetricGate, found: Measurement) -> str:
    value, low, high = (_number(gate, number) for number in (found.value, found.low, found.high))
    return f"{value} ({low} to {high}, {found.n} rows)"


def _number(gate: MetricGate, value: float, sign: str = "") -> str:
    """A share as a percentage, anything else as it is."""
    return f"{value:{sign}.1%}" if gate.definition.high <= 1 else f"{value:{sign}.4g}"


def _said(gate: str, status: GateStatus, reason: str, *evidence: str) -> GateVerdict:
    return GateVerdict(gate=gate, status=status, reason=reason, evidence=evidence)


def _missing(gate: str, what: str) -> GateVerdict:
    return GateVerdict(gate=gate, status="Error", reason=f"missing evidence: {what}")


def _not_applicable(gate: str, reason: str = "a first release: nothing serves yet to compare with") -> GateVerdict:
    return GateVerdict(gate=gate, status="NotApplicable", reason=reason)
