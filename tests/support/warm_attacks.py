"""TextAttack imported once for many tasks: `python -m tests.support.warm_attacks` takes a task a line, answers a line.

The real engine of workers.attack, in a process of its own as there; only its start is shared, which takes seconds.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from workers.attack.environment import install_stubs, prepare
from workers.attack.task import Outcomes, Step, Task


class WarmAttacks:
    """The process, and the recipes that it knows."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin
        assert process.stdout
        self._tasks: IO[str] = process.stdin
        self._answers: IO[str] = process.stdout
        self.recipes: list[str] = json.loads(self._answers.readline())

    def run(self, task: Task, workdir: Path, report: Callable[[Step], None]) -> Outcomes:
        """As workers.attack.handler.run_isolated, without steps."""
        del workdir, report
        self._tasks.write(task.model_dump_json() + "\n")
        self._tasks.flush()
        return Outcomes.model_validate_json(self._answers.readline())


@contextmanager
def warm_attacks(folder: Path) -> Iterator[WarmAttacks]:
    command = [sys.executable, "-m", "tests.support.warm_attacks"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=prepare(folder), cwd=folder, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield WarmAttacks(process)
        assert process.stdin
        process.stdin.close()


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    install_stubs()
    from workers.attack import engine
    from workers.attack.recipes import RECIPES

    print(json.dumps(sorted(RECIPES)), file=answers, flush=True)
    for line in sys.stdin:
        examples = engine.run(Task.model_validate_json(line), lambda step: None)
        print(Outcomes(network_namespace=False, examples=examples).model_dump_json(), file=answers, flush=True)


if __name__ == "__main__":
    main()
