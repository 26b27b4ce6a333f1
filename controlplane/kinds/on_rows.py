"""What evaluations and attacks claim and say alike: which rows were asked of which graph, and beside what."""

from collections.abc import Iterator

from controlplane.domain.claims import Claim, at_most, same
from schemas.evidence import FindingOnRows
from schemas.jobs.on_rows import OnRowsSpec


def asked(spec: OnRowsSpec, result: FindingOnRows) -> Iterator[Claim]:
    yield same("model_version", result.model_version, spec.model_version.id)
    yield same("dataset", result.dataset, spec.dataset.id)
    yield same("split", result.split, spec.split)
    yield same("graph", result.graph, spec.graph)
    paired = result.paired
    yield same("paired.against", paired and paired.against, spec.against and spec.against.id)
    yield same("paired.graph", paired and paired.graph, spec.against_graph)


def learnt(spec: OnRowsSpec, result: FindingOnRows, rows: int) -> Claim:
    """At most `rows` rows were trained on, and none when the version learnt from no dataset that we know."""
    return at_most("rows_trained_on", result.rows_trained_on, rows if spec.trained_on else 0)


def caveats(result: FindingOnRows) -> str:
    """What makes it worthless to a gate, and how it compares with another version on the same rows."""
    told = f", {result.rows_trained_on} of them trained on" if result.rows_trained_on else ""
    if (paired := result.paired) is None:
        return told
    return f"{told}; {paired.difference:+.4f} [{paired.low:+.4f}, {paired.high:+.4f}] against {paired.against}"
