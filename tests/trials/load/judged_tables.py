"""Whether the database stayed flat: what traffic fills is emptied, and what is kept for good is what was made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.trials.load.finding import Finding, Work
from tests.trials.load.sampling import MADE_NOTHING, Sample

TABLE_FACTOR, TABLE_ROWS = 1.25, 60
"""The fullest moment of the last third may exceed that of the third before by so much: arrivals are random."""
SIZE_FACTOR, SIZE_BYTES = 1.15, 4 * 2**20

BOUNDED = (
    "event", "inbox", "idempotency_key", "observation", "label", "trigger_evaluation", "job_log", "job_curve",
    "dead_letter", "parked_event", "in_flight", "pruned_type", "cursor", "lease", "api_replica", "schema_info",
    "alembic_version", "partition", MADE_NOTHING,
)  # fmt: skip
"""Traffic fills them and retention empties them, or they hold a row for each process."""


@dataclass(frozen=True)
class Kept:
    """A table of records, one row for each thing made or decided: at most so many a rollout and a job of the run."""

    why: str
    per_rollout: int = 0
    per_job: int = 0
    """Asked for."""
    per_job_done: int = 0


LINEAGE, SERVED, RUNS = "lineage", "what served, when and why", "what runs"
RECORDS = {
    "job": Kept("what succeeded is the lineage of what it made", per_job=1),
    "dataset": Kept(LINEAGE, per_job_done=1),
    "dataset_version": Kept(LINEAGE, per_job_done=1),
    "registered_model": Kept(LINEAGE),
    "model_version": Kept(LINEAGE),
    "attachment": Kept(LINEAGE),
    "base_graph": Kept(LINEAGE),
    "audit_entry": Kept("who did what", per_rollout=8, per_job=2),
    "alias": Kept(SERVED),
    "alias_history": Kept(SERVED, per_rollout=2),
    "deployment": Kept(SERVED),
    "generation": Kept(SERVED, per_rollout=8),
    "applied": Kept(SERVED, per_rollout=16),
    "gateway_boot": Kept(SERVED),
    "rollout": Kept(SERVED, per_rollout=1),
    "decision": Kept(SERVED, per_rollout=8),
    "rollback": Kept(SERVED),
    "pipeline": Kept(RUNS),
    "pipeline_run": Kept("what ran"),
    "trigger": Kept(RUNS),
    "token": Kept("who may"),
    "revision": Kept("who changed what"),
    "hold": Kept("who held what back"),
}
"""The load's jobs curate, and its rollouts have two steps: verified, two steps, promoted or rolled back make 4
generations, twice as many of `applied` with two gateways, and 4 decisions. Twice that is allowed, for a canary that was
withdrawn and came again; a row for each look of the analysis or for each request would be far more."""


def judge_tables(samples: Sequence[Sample], work: Work) -> Iterator[Finding]:
    done = samples[-1].jobs_done - samples[0].jobs_done
    for name in sorted(samples[-1].rows):
        counts = [sample.rows.get(name, 0) for sample in samples]
        yield _record(name, counts, work, done) if name in RECORDS else _table(name, counts)


def judge_sizes(samples: Sequence[Sample]) -> Iterator[Finding]:
    for name in samples[-1].sizes:
        before, after = _thirds([sample.sizes.get(name, 0) for sample in samples])
        text = f"at most {before / 2**20:.1f} MiB, then at most {after / 2**20:.1f} MiB"
        yield Finding(name, "bytes", after <= before * SIZE_FACTOR + SIZE_BYTES, text)


def _record(name: str, counts: Sequence[int], work: Work, done: int) -> Finding:
    """Over the whole run, as the work is counted."""
    kept, grown = RECORDS[name], counts[-1] - counts[0]
    allowed = kept.per_rollout * work.rollouts + kept.per_job * work.jobs + kept.per_job_done * done
    text = f"{counts[-1]}, {grown:+d} (at most {allowed:+d} by what was made): kept for good ({kept.why})"
    return Finding(name, "rows", grown <= allowed, text)


def _table(name: str, counts: Sequence[int]) -> Finding:
    grown = counts[-1] - counts[len(counts) // 3]
    if name not in BOUNDED:
        return Finding(name, "rows", grown <= 0, f"{counts[-1]}, {grown:+d}: nobody has said what bounds it")
    before, after = _thirds(counts)
    pruned = any(later < earlier for earlier, later in pairwise(counts))
    text = f"at most {before}, then at most {after}" + ("; pruning was seen" if pruned else "")
    filled = after > TABLE_ROWS
    return Finding(name, "rows", after <= before * TABLE_FACTOR + TABLE_ROWS and (pruned or not filled), text)


def _thirds(values: Sequence[int]) -> tuple[int, int]:
    """The largest of the middle third and of the last one."""
    third = len(values) // 3
    return max(values[third : 2 * third] or [0]), max(values[2 * third :])
