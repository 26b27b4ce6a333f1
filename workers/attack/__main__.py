"""The attack's own process: `python -m workers.attack TASK OUTCOMES`; steps come out as JSON lines."""

import os
import sys
import traceback
from pathlib import Path
from typing import TextIO

from workers.attack import isolation
from workers.attack.environment import install_stubs
from workers.attack.task import Outcomes, Task
from workers.runtime.errors import JobError


def main(task_file: Path, outcomes_file: Path) -> None:
    # First of all: numpy and torch start threads when they are imported, and then the kernel would refuse.
    namespace = isolation.leave_network()
    isolation.exit_with_parent()
    steps = _take_stdout()
    outcomes_file.write_text(_attack(task_file, namespace, steps).model_dump_json(), encoding="utf-8")


def _attack(task_file: Path, namespace: bool, steps: TextIO) -> Outcomes:
    try:
        task = Task.model_validate_json(task_file.read_bytes())
        install_stubs()
        from workers.attack import engine  # after the stubs: it imports TextAttack, which takes seconds

        examples = engine.run(task, lambda step: print(step.model_dump_json(), file=steps, flush=True))
    except Exception as error:
        return Outcomes(network_namespace=namespace, error=why(error))
    return Outcomes(network_namespace=namespace, examples=examples)


def _take_stdout() -> TextIO:
    """Our steps keep the real standard output; what libraries print goes to standard error."""
    steps = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return steps


def why(error: Exception) -> str:
    """In the words of a refusal of ours, which quote no row; another exception's may, so only its place is told."""
    if isinstance(error, JobError):
        return error.reason
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
