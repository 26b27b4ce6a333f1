"""Keeps what a failed round leaves behind: its plan, what was violated, and what every process said meanwhile."""

from pathlib import Path

from tests.trials.chaos.round import Outcome


class LogMarks:
    """How long every log was when a round began."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes = {log: log.stat().st_size for log in _logs(folder)}

    def keep(self, target: Path) -> None:
        """What was logged since."""
        for log in _logs(self._folder):
            with log.open("rb") as source:
                source.seek(self._sizes.get(log, 0))
                said = source.read()
            if said:
                (target / log.name).write_bytes(said)


def keep(outcome: Outcome, marks: LogMarks, folder: Path) -> Path:
    """Answers the folder."""
    target = folder / f"{outcome.plan.topology}-seed-{outcome.plan.seed}"
    target.mkdir(parents=True, exist_ok=True)
    marks.keep(target)
    (target / "plan.txt").write_text("\n".join(outcome.plan.lines()) + "\n")
    (target / "violations.txt").write_text("\n\n".join(outcome.violations) + "\n")
    (target / "crashes.txt").write_text("\n\n".join(outcome.crashes) + "\n")
    (target / "ledger.txt").write_text("\n".join(f"{name}: {value}" for name, value in _noted(outcome).items()))
    return target


def _noted(outcome: Outcome) -> dict[str, object]:
    return {**vars(outcome.ledger), **vars(outcome.ledger.expected)}


def _logs(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.log"))
