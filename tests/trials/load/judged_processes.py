"""Whether processes lived through the run, and whether their memory, descriptors and threads stayed flat."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from statistics import median

from tests.trials.load.finding import Finding, Work
from tests.trials.load.sampling import ProcessSample, Sample

ALLOCATED_BYTES = 2 * 2**20
"""Growth of the anonymous memory over the judged part that is still called flat: healthy processes move by 0.0 to
0.3 MiB (docs/load.md), and the rest is room for an arena of the allocator. Each finding says how many bytes a request
that is."""
MEMORY_BYTES = 6 * 2**20
MEMORY_SHARE = 0.04
"""The same of PSS, the larger of the two: coarse, because pages of files and of children come and go in it. It sees a
file that is mapped again and again, which anonymous memory does not show."""
DESCRIPTORS = 3
THREADS = 2
MOST_POINTS = 120
LEAST_SHARE = 0.5
"""The share of the judged part that a process must have been there for a slope to be taken."""
JOB = "job"
"""Its process lives for its job, and the server that it is forked from ends when idle or when its job is cancelled."""


def judge_processes(samples: Sequence[Sample], steady: Sequence[Sample], work: Work) -> list[Finding]:
    served = Served(steady, work)
    seen = _by_process(steady)
    least = max(2, LEAST_SHARE * len(steady))
    long_enough = [name for name in sorted(seen) if len(seen[name]) >= least]
    findings = [one for name in long_enough for one in _process(name, seen[name], served)]
    return [*_lives(samples), *findings]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Theil and Sen: the median of the slopes between any two points, which a few spikes do not move."""
    step = max(1, len(points) // MOST_POINTS)
    kept = points[::step]
    slopes = [(y - v) / (x - u) for (u, v), (x, y) in combinations(kept, 2) if x != u]
    return median(slopes) if slopes else 0.0


class Served:
    """How much of the work fell to each process in the judged part, by its kind: what a leak would be divided by."""

    def __init__(self, steady: Sequence[Sample], work: Work) -> None:
        self.seconds = steady[-1].at - steady[0].at
        names = set.union(*(set(sample.processes) for sample in steady))
        self._share = min(1.0, self.seconds / work.seconds)
        self._counts = {
            "gateway": ("request", work.predictions * self._share),
            "api": ("request", work.to_api * self._share),
            "worker": ("job", float(steady[-1].jobs_done - steady[0].jobs_done)),
        }
        self._of_a_kind = {kind: sum(name.startswith(kind) for name in names) for kind in self._counts}

    def sight(self, name: str, bytes_: float) -> str:
        """What growth of so many bytes is for each thing that this process did; empty: nobody counts what it does."""
        for kind, (unit, count) in self._counts.items():
            if name.startswith(kind):
                each = count / self._of_a_kind[kind]
                return f"; {bytes_ / each:,.0f} bytes for each {unit} of {each:,.0f}" if each >= 1 else f"; no {unit}s"
        return ""


def _by_process(samples: Sequence[Sample]) -> dict[str, list[tuple[float, ProcessSample]]]:
    seen = defaultdict(list)
    for sample in samples:
        for name, process in sample.processes.items():
            seen[name].append((sample.at, process))
    return seen


def _lives(samples: Sequence[Sample]) -> Iterator[Finding]:
    """A process that ended took its leak with it: whoever is not there from the first to the last sample is found."""
    lives = defaultdict(list)
    for name, seen in _by_process(samples).items():
        lives[name.rpartition(" (")[0]].append((name, seen))
    for name, all_ in sorted(lives.items()):
        if name != JOB:
            ok = all(len(seen) == len(samples) for _, seen in all_)
            told = [f"{who} {len(seen)} times from {seen[0][0]:.0f} s to {seen[-1][0]:.0f} s" for who, seen in all_]
            text = "all the time" if ok else f"{len(samples)} looks saw {', '.join(told)}"
            yield Finding(name, "life", ok, text)


def _process(name: str, seen: Sequence[tuple[float, ProcessSample]], served: Served) -> Iterator[Finding]:
    def grown(of: Callable[[ProcessSample], float]) -> float:
        """By the slope, over the whole judged part: a shorter life is no excuse."""
        return slope([(at, of(process)) for at, process in seen]) * served.seconds

    levels: tuple[tuple[str, Callable[[ProcessSample], float], float, float], ...] = (
        ("memory (allocated)", lambda process: process.anonymous, ALLOCATED_BYTES, 0.0),
        ("memory (PSS)", lambda process: process.pss, MEMORY_BYTES, MEMORY_SHARE),
    )
    for measure, of, least, share in levels:
        level = median(of(process) for _, process in seen)
        allowed = max(least, share * level)
        text = f"{level / 2**20:.1f} MiB, {grown(of) / 2**20:+.2f} MiB (at most {allowed / 2**20:+.1f}"
        yield Finding(name, measure, grown(of) <= allowed, f"{text}{served.sight(name, allowed)})")
    counts: tuple[tuple[str, Callable[[ProcessSample], float], int], ...] = (
        ("descriptors", lambda process: process.fds, DESCRIPTORS),
        ("threads", lambda process: process.threads, THREADS),
    )
    for measure, of, most in counts:
        values = [of(process) for _, process in seen]
        text = f"{min(values):.0f} to {max(values):.0f}, {grown(of):+.1f} (at most {most:+d})"
        yield Finding(name, measure, grown(of) <= most, text)
