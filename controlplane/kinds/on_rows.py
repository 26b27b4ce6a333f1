"""What evaluations and attacks claim and say alike: which rows were asked of which graph, and what was measured."""

from collections.abc import Iterator

from controlplane.domain.result_claims import Claim, at_most, same
from schemas.evidence import KNOWN, FindingOnRows, Measurement
from schemas.jobs.on_rows import OnRowsSpec
from schemas.metrics import MetricName


def asked(spec: OnRowsSpec, result: FindingOnRows, *needed: MetricName) -> Iterator[Claim]:
    """That it asked what the spec says, measured at least the `needed` metrics and compared what can be compared."""
    yield same("model_version", result.model_version, spec.model_version.id)
    expected = type(result.conditions).of(spec)
    for field in type(expected).model_fields:
        yield same(f"conditions.{field}", getattr(result.conditions, field), getattr(expected, field))
    measured = tuple(one.subject for one in result.measurements)
    yield Claim("measurements", measured, set(needed) <= set(measured), f"{', '.join(needed)} among them")
    for one in result.measurements:
        yield from _compared(spec, one)


def _compared(spec: OnRowsSpec, one: Measurement) -> Iterator[Claim]:
    known = KNOWN.get(one.metric)
    if known is not None and known.paired is not None:
        expected = "a comparison" if spec.against else "no comparison"
        holds = (one.paired is None) == (spec.against is None)
        yield Claim(f"measurements.{one.subject}.paired", one.paired, holds, f"{expected}, as the job's spec says")


def measurement(result: FindingOnRows, metric: MetricName) -> Measurement:
    """One of those that `asked` needed."""
    found = result.measured(metric)
    assert found is not None
    return found


def learnt(spec: OnRowsSpec, result: FindingOnRows, rows: int) -> Claim:
    """At most `rows` rows were trained on, and none when the version learnt from no dataset that we know."""
    return at_most("rows_trained_on", result.rows_trained_on, rows if spec.trained_on else 0)


def caveats(result: FindingOnRows, main: Measurement) -> str:
    """What makes it worthless to a gate, and how it compares with another version on the same rows."""
    told = f", {result.rows_trained_on} of them trained on" if result.rows_trained_on else ""
    if (paired := main.paired) is None:
        return told
    against = result.conditions.against
    return f"{told}; {paired.difference:+.4f} [{paired.low:+.4f}, {paired.high:+.4f}] against {against}"
