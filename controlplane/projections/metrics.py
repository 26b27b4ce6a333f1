"""Prometheus metrics from the state tables: every API replica answers the same."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlmodel import Session, col, func, select

from controlplane.projections.inbound import progress_of_partitions
from controlplane.store.serving_tables import DeploymentRow, RolloutRow
from controlplane.store.spine_tables import CursorRow, DeadLetterRow, EventRow, ParkedEventRow
from controlplane.store.tables import JobRow, PipelineRunRow


def render(session: Session) -> bytes:
    """Counts by phase, the log's end, every reader's lag, and what waits for a person."""
    registry = CollectorRegistry()
    for name, phase, kind in (("job", JobRow.phase, JobRow.kind), ("rollout", RolloutRow.phase, RolloutRow.deployment)):
        gauge = Gauge(f"graftwork_{name}s", f"{name}s by phase", ["phase", "of"], registry=registry)
        for value, of, count in session.exec(select(phase, kind, func.count()).group_by(col(phase), col(kind))):
            gauge.labels(value, of).set(count)
    runs = Gauge("graftwork_pipeline_runs", "pipeline runs by phase", ["phase"], registry=registry)
    for value, count in session.exec(select(PipelineRunRow.phase, func.count()).group_by(col(PipelineRunRow.phase))):
        runs.labels(value).set(count)
    failing = Gauge(
        "graftwork_rollout_fold_failures", "folds in a row that failed, of rollouts that fail", ["rollout"],
        registry=registry,
    )  # fmt: skip
    for rollout, failures in session.exec(
        select(RolloutRow.id, RolloutRow.fold_failures).where(RolloutRow.fold_failures > 0)
    ):
        failing.labels(str(rollout)).set(failures)
    last = session.exec(select(func.max(EventRow.seq))).one() or 0
    Gauge("graftwork_event_seq", "seq of the newest event", registry=registry).set(last)
    lag = Gauge("graftwork_reader_lag", "events that a reader has yet to read", ["reader"], registry=registry)
    for cursor in session.exec(select(CursorRow)):
        lag.labels(cursor.name).set(last - cursor.seq)
    _render_inbound(session, registry)
    generation = Gauge("graftwork_generation", "current generation", ["deployment"], registry=registry)
    for deployment in session.exec(select(DeploymentRow)):
        generation.labels(deployment.name).set(deployment.generation)
    for name, text, query in (
        ("graftwork_dead_letters_open", "dead letters that wait for a person",
         select(func.count()).select_from(DeadLetterRow).where(DeadLetterRow.status == "Open")),
        ("graftwork_parked_events", "facts that the broker refused for good",
         select(func.count()).select_from(ParkedEventRow)),
    ):  # fmt: skip
        Gauge(name, text, registry=registry).set(session.exec(query).one())
    return generate_latest(registry)


def _render_inbound(session: Session, registry: CollectorRegistry) -> None:
    """How other people's events are read, a partition; nothing in the embedded mode, which has none."""
    labels = ["topic", "partition"]
    lag = Gauge("graftwork_inbound_lag", "offsets that are not read yet", labels, registry=registry)
    open_ = Gauge(
        "graftwork_inbound_open_transaction_lag",
        "those of them that an open transaction of a producer holds back",
        labels,
        registry=registry,
    )
    stuck = Gauge(
        "graftwork_inbound_stuck", "1 when what could be read is not, or nobody tells", labels, registry=registry
    )
    for one in progress_of_partitions(session):
        place = (one.row.topic, str(one.row.partition))
        lag.labels(*place).set(one.lag)
        open_.labels(*place).set(one.behind_open_transaction)
        stuck.labels(*place).set(one.is_stuck)
