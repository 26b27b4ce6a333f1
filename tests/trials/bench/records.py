"""Results as JSON: one file a machine, in which a benchmark that was measured again replaces what it said before.

Each remembers the machine and the packages that it was measured with: between two runs of a file they may change.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.trials.bench.host import Host, Moment, is_busy
from tests.trials.bench.report import Goal, Ratio

FOLDER: Final = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Measurement:
    """What one benchmark said, when, of which commit, and on what."""

    host: Host
    commit: str
    began: Moment
    ended: Moment
    ratios: tuple[Ratio, ...]
    smoke: bool = False
    """It only ran: its numbers mean nothing."""

    @property
    def busy(self) -> bool:
        """Others were using the machine just before it began or just after it ended: do not publish."""
        return is_busy(self.began) or is_busy(self.ended)


@dataclass(frozen=True)
class Results:
    benchmarks: dict[str, Measurement] = field(default_factory=dict)

    def with_measured(self, name: str, measurement: Measurement) -> "Results":
        return Results({**self.benchmarks, name: measurement})


def load(file: Path) -> Results:
    document = json.loads(file.read_text())
    return Results({name: _measurement(value) for name, value in document["benchmarks"].items()})


def save(results: Results, file: Path) -> None:
    benchmarks = {
        name: {**asdict(one), "busy": one.busy, "ratios": [_judged(ratio) for ratio in one.ratios]}
        for name, one in sorted(results.benchmarks.items())
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"benchmarks": benchmarks}, indent=2, ensure_ascii=False) + "\n")


def _judged(ratio: Ratio) -> dict[str, Any]:
    """With what follows from the rounds, for readers of the file; it is not read back."""
    low, high = ratio.spread
    return {**asdict(ratio), "compared": {"median": ratio.median, "min": low, "max": high, "met": ratio.met}}


def _measurement(value: dict[str, Any]) -> Measurement:
    return Measurement(
        host=Host(**value["host"]),
        commit=value["commit"],
        began=Moment(**value["began"]),
        ended=Moment(**value["ended"]),
        ratios=tuple(_ratio(one) for one in value["ratios"]),
        smoke=value["smoke"],
    )


def _ratio(value: dict[str, Any]) -> Ratio:
    fields = {name: given for name, given in value.items() if name != "compared"}
    if fields["goal"]:
        fields["goal"] = Goal(**fields["goal"])
    return Ratio(**fields | {name: tuple(fields[name]) for name in ("ours", "alternative")})
