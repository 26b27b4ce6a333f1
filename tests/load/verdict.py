"""Whether a long run was flat: memory, descriptors, threads and tables, each by a rule with its reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import median

from tests.load.sampling import ProcessSample, Sample

WARM_UP = 0.4
"""Of the run: caches fill, pools open, allocators find their size, and the first retention passes."""
MEMORY_BYTES = 6 * 2**20
MEMORY_SHARE = 0.04
"""Growth over the rest of the run that is still called flat: the larger of the two. Over six minutes of 50 requests a
second 6 MiB are 350 bytes a request, less than the smallest thing that a request could leave behind."""
DESCRIPTORS = 3
THREADS = 2
TABLE_FACTOR, TABLE_ROWS = 1.25, 60
"""The fullest moment of the last third may exceed that of the third before by so much: arrivals are random."""
SIZE_FACTOR, SIZE_BYTES = 1.15, 4 * 2**20
MOST_POINTS = 120

BOUNDED = (
    "event", "inbox", "idempotency_key", "observation", "label", "trigger_evaluation", "job_log", "dead_letter",
    "parked_event", "in_hand", "pruned_type", "cursor", "lease", "api_replica", "schema_info", "alembic_version",
)  # fmt: skip
"""Traffic fills them and retention empties them, or they hold a row for each process."""
RECORDS = {
    "job": "what succeeded is the lineage of what it made",
    "dataset": "lineage", "dataset_version": "lineage",
    "registered_model": "lineage", "model_version": "lineage", "attachment": "lineage", "base_graph": "lineage",
    "alias": "what served, when and why", "alias_history": "what served, when and why",
    "deployment": "what served, when and why", "generation": "what served, when and why",
    "applied": "what served, when and why", "gateway_boot": "what served, when and why",
    "rollout": "what served, when and why", "decision": "what served, when and why",
    "rollback": "what served, when and why",
    "pipeline": "what runs", "pipeline_run": "what ran", "trigger": "what runs", "token": "who may",
}  # fmt: skip
"""One row for each thing made or decided, kept for good; requests alone add none."""


@dataclass(frozen=True)
class Finding:
    subject: str
    measure: str
    ok: bool
    text: str


def judge(samples: Sequence[Sample]) -> list[Finding]:
    """Needs a run of several retentions; the first part is warm-up."""
    steady = samples[int(len(samples) * WARM_UP) :]
    return [*_processes(steady), *_tables(samples), *_sizes(samples)]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Theil and Sen: the median of the slopes between any two points, which a few spikes do not move."""
    step = max(1, len(points) // MOST_POINTS)
    kept = points[::step]
    slopes = [(y - v) / (x - u) for (u, v), (x, y) in combinations(kept, 2) if x != u]
    return median(slopes) if slopes else 0.0


def _processes(steady: Sequence[Sample]) -> list[Finding]:
    """Those that were there all the time; a job's process lives for its job."""
    names = set.intersection(*(set(sample.processes) for sample in steady))
    return [finding for name in sorted(names) for finding in _process(name, steady)]


def _process(name: str, steady: Sequence[Sample]) -> list[Finding]:
    seen = [(sample.at, sample.processes[name]) for sample in steady]
    level = median(process.pss for _, process in seen)
    grown = _growth(seen, lambda process: process.pss)
    allowed = max(MEMORY_BYTES, MEMORY_SHARE * level)
    memory = f"{level / 2**20:.1f} MiB, {grown / 2**20:+.2f} MiB (at most {allowed / 2**20:+.1f})"
    findings = [Finding(name, "memory (PSS)", grown <= allowed, memory)]
    counts: tuple[tuple[str, Callable[[ProcessSample], float], int], ...] = (
        ("descriptors", lambda process: process.fds, DESCRIPTORS),
        ("threads", lambda process: process.threads, THREADS),
    )
    for measure, of, most in counts:
        values = [of(process) for _, process in seen]
        text = f"{min(values):.0f} to {max(values):.0f}, {_growth(seen, of):+.1f} (at most {most:+d})"
        findings.append(Finding(name, measure, _growth(seen, of) <= most, text))
    return findings


def _growth(seen: Sequence[tuple[float, ProcessSample]], of: Callable[[ProcessSample], float]) -> float:
    """By the slope, over the whole time seen."""
    return slope([(at, of(process)) for at, process in seen]) * (seen[-1][0] - seen[0][0])


def _tables(samples: Sequence[Sample]) -> list[Finding]:
    return [_table(name, [sample.rows.get(name, 0) for sample in samples]) for name in sorted(samples[-1].rows)]


def _table(name: str, counts: Sequence[int]) -> Finding:
    grown = counts[-1] - counts[len(counts) // 3]
    if name in RECORDS:
        return Finding(name, "rows", True, f"{counts[-1]}, {grown:+d}: kept for good ({RECORDS[name]})")
    if name not in BOUNDED:
        return Finding(name, "rows", grown <= 0, f"{counts[-1]}, {grown:+d}: nobody has said what bounds it")
    before, after = _thirds(counts)
    pruned = any(later < earlier for earlier, later in pairwise(counts))
    text = f"at most {before}, then at most {after}" + ("; pruning was seen" if pruned else "")
    filled = after > TABLE_ROWS
    return Finding(name, "rows", after <= before * TABLE_FACTOR + TABLE_ROWS and (pruned or not filled), text)


def _sizes(samples: Sequence[Sample]) -> list[Finding]:
    findings = []
    for name in samples[-1].sizes:
        before, after = _thirds([sample.sizes.get(name, 0) for sample in samples])
        text = f"at most {before / 2**20:.1f} MiB, then at most {after / 2**20:.1f} MiB"
        findings.append(Finding(name, "bytes", after <= before * SIZE_FACTOR + SIZE_BYTES, text))
    return findings


def _thirds(values: Sequence[int]) -> tuple[int, int]:
    """The largest of the middle third and of the last one."""
    third = len(values) // 3
    return max(values[third : 2 * third] or [0]), max(values[2 * third :])
