"""Planted evidence for gates, and how they judge it."""

from typing import Any
from uuid import UUID, uuid4

from controlplane.domain.evidence import Attachment, Evidence, VersionEvidence
from controlplane.domain.gates import judge
from schemas.evidence import Interval
from schemas.gates import Gate, MetricGate
from schemas.rollouts import GateVerdict
from tests.support.builders import results
from tests.support.builders.artifacts import digest
from tests.support.builders.models import GENERATOR, IDENTITY, LABELS, graph_ref, varied
from tests.support.builders.results import DEEPWORDBUG, beside

VERSION, CHAMPION, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
ROWS, EASIER = digest("rows of reviews/1 test"), digest("easier rows")
SPLITS = {"reviews/1 test": ROWS, "reviews/1 validation": digest("validation"), "reviews/7 test": EASIER}


def accuracy_gate(**fields: Any) -> MetricGate:
    asked: dict[str, Any] = {"metric": "accuracy", "dataset": "reviews", "min_rows": 1000, "minimum": 0.8}
    return MetricGate(**asked | fields)


def attack_gate(strength: dict[str, Any] | None = None, **fields: Any) -> MetricGate:
    asked: dict[str, Any] = {
        "metric": "attack_success_rate_at_worst",
        "dataset": "reviews",
        "min_rows": 1000,
        "attack": DEEPWORDBUG | (strength or {}),
        "maximum": 0.5,
    }
    return MetricGate(**asked | fields)


def exported(max_abs_diff: float = 1e-5, version: UUID = VERSION, rows: int = 16) -> Attachment[Any]:
    return Attachment(
        digest=digest(f"export of {version}: {max_abs_diff}"),
        result=results.exported(version, max_abs_diff=max_abs_diff, rows=rows),
    )


def in_int4(max_abs_diff: float, agreement: float) -> Attachment[Any]:
    graph = graph_ref(VERSION, precision="int4")
    found = results.exported(VERSION, graph=graph, max_abs_diff=max_abs_diff, agreement=agreement)
    return Attachment(digest=digest(f"export in int4: {max_abs_diff}, {agreement}"), result=found)


def evaluated(
    score: float | Interval, /, rows: str | None = ROWS, dataset: str = "reviews/1", **said: Any
) -> Attachment[Any]:
    result = results.evaluated(VERSION, score, **said)
    return Attachment(digest=digest(str(uuid4())), dataset=dataset, rows=rows, result=result)


def attacked(success: float | Interval, /, rows: str = ROWS, **said: Any) -> Attachment[Any]:
    result = results.attacked(VERSION, success, **said)
    return Attachment(digest=digest(str(uuid4())), dataset="reviews/1", rows=rows, result=result)


def known(*attachments: Attachment[Any], version: UUID = VERSION, labels: tuple[str, ...] = LABELS) -> VersionEvidence:
    identity = varied(IDENTITY, task={"labels": labels}) if labels else GENERATOR
    return VersionEvidence(version=version, recorded=results.recorded(identity=identity), attachments=attachments)


def candidate(
    *results: Attachment[Any], labels: tuple[str, ...] = LABELS, export: Attachment[Any] | None = None
) -> VersionEvidence:
    return known(export or exported(), *results, labels=labels)


NOTHING_COMPARED = beside(CHAMPION, 0, 0, both=0, neither=0)
SERVING = known(exported(version=CHAMPION), version=CHAMPION)


def verdicts(gate: Gate, learnt: VersionEvidence, champion: VersionEvidence | None = None) -> tuple[GateVerdict, ...]:
    """The verdicts on the gate alone, without those that are always asked."""
    return judge([gate], Evidence(candidate=learnt, champion=champion, splits=SPLITS))[2:]


def statuses(gate: Gate, learnt: VersionEvidence, champion: VersionEvidence | None = None) -> list[str]:
    return [verdict.status for verdict in verdicts(gate, learnt, champion)]
