"""Samples of the specs and results of new kinds of job: `python -m tests.contract.new_samples`.

A sample that is there stays as it is: so it travelled once, and every later version has to read it.
"""

from pathlib import Path
from typing import Final

from tests.support.builders.answered import ANSWERED

SAMPLES: Final = Path(__file__).parent / "samples"


def write_missing(folder: Path) -> None:
    for kind, answered in ANSWERED.items():
        for role, document in zip(("spec", "result"), answered, strict=True):
            sample = folder / f"job.{kind}.{role}.json"
            if not sample.exists():
                sample.write_text(document.model_dump_json(indent=2) + "\n")


if __name__ == "__main__":
    write_missing(SAMPLES)
