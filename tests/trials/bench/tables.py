"""Results as Markdown between a document's marks: short in README, whole in docs/benchmarks.md."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from schemas.marked import marks, write_part
from tests.support.processes import ROOT
from tests.trials.bench.records import Results
from tests.trials.bench.report import Ratio

PART: Final = "bench"
"""Its marks in a document."""
HEAD: Final = ("| what | ours | alternative | compared: median (min to max) | goal |", "|---|---|---|---|---|")
HEADLINES: Final = {"growth": "a job's life, 100,000 jobs"}
BESIDE: Final = "A row without a goal belongs to the one above it."
VERDICTS: Final = {True: "met", False: "**missed**", None: ""}


def short(results: Results) -> str:
    """What has a goal with what belongs beside it, and on which machine; of many alike one."""
    ratios = [
        ratio
        for name, one in sorted(results.benchmarks.items())
        for ratio in one.ratios
        if (ratio.goal or ratio.beside_goal) and ratio.name.startswith(HEADLINES.get(name, ""))
    ]
    beside = [BESIDE, ""] if any(ratio.beside_goal for ratio in ratios) else []
    return "\n".join([*HEAD, *map(_row, ratios), "", *beside, *_machines(results)])


def whole(results: Results) -> str:
    """Everything, with its conditions."""
    lines = [*_machines(results), ""]
    for name, one in sorted(results.benchmarks.items()):
        lines += [f"### {name}", "", *HEAD, *(_row(ratio) for ratio in one.ratios), ""]
        lines += _notes(one.ratios)
        use = f"{one.began.used:.0%} of the machine in use before, {one.ended.used:.0%} after"
        use += ": **not idle**" if one.busy else ""
        rounds = max(len(ratio.ours) for ratio in one.ratios)
        lines += [f"- {rounds} rounds, {one.began.at}, commit {one.commit}, {use}.", ""]
    return "\n".join(lines).rstrip()


def _machines(results: Results) -> Iterator[str]:
    """One, or several each with what was measured on it: with which packages, too."""
    named: dict[str, list[str]] = {}
    for name, one in sorted(results.benchmarks.items()):
        named.setdefault(str(one.host), []).append(name)
    for host, names in named.items():
        yield f"Measured on {host}." if len(named) == 1 else f"- {', '.join(names)}: measured on {host}."


def _notes(ratios: Sequence[Ratio]) -> Iterator[str]:
    """Each note once, before it whom it is about."""
    about: dict[str, list[str]] = {}
    for ratio in ratios:
        if ratio.note:
            about.setdefault(ratio.note, []).append(ratio.name)
    for note, names in about.items():
        yield f"- {'all of them' if len(names) == len(ratios) > 1 else '; '.join(names)}: {note}"


DOCUMENTS: Final[dict[Path, Callable[[Results], str]]] = {
    ROOT / "README.md": short,
    ROOT / "docs" / "benchmarks.md": whole,
}


def render(results: Results) -> list[Path]:
    """Write the tables into every document that has the markers; answers which."""
    written = []
    for file, table in DOCUMENTS.items():
        if file.is_file() and marks(PART)[0] in file.read_text():
            write_part(file, PART, table(results))
            written.append(file)
    return written


def _row(ratio: Ratio) -> str:
    ours = f"{number(median(ratio.ours))} {ratio.unit}"
    other = (
        f"{number(median(ratio.alternative))} {ratio.unit} ({ratio.against})" if ratio.alternative else ratio.against
    )
    goal = f"{ratio.goal}: {VERDICTS[ratio.met]}" if ratio.goal else ""
    return f"| {ratio.name} | {ours} | {other} | {compared(ratio)} | {goal} |"


def compared(ratio: Ratio) -> str:
    """`0.83 (0.79 to 0.86)`."""
    low, high = ratio.spread
    unit = f" {ratio.unit}" if ratio.compare in ("ours", "ours - alternative") else ""
    return f"{number(ratio.median)}{unit} ({number(low)} to {number(high)})"


def number(value: float) -> str:
    """Three digits that count; a large one whole."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
