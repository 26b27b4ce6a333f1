"""Simulated rows in files, one a scenario: a long run goes on where it stopped, and tables are made of what is kept."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from controlplane.cli.output import refuse
from controlplane.simulation.report import Row
from schemas.rollouts import CanaryPolicy

ROWS = TypeAdapter(tuple[Row, ...])


def document(policy: CanaryPolicy, runs: int, seed: int, rows: list[Row]) -> dict[str, Any]:
    return {
        "policy": policy.model_dump(mode="json"),
        "runs": runs,
        "seed": seed,
        "interval": "95 % two-sided, Clopper-Pearson",
        "rows": TypeAdapter(Any).dump_python([asdict(row) for row in rows], mode="json"),
    }


def write(file: Path, found: dict[str, Any]) -> None:
    """Whole or not at all: hours of rows must survive a full disk and an interruption."""
    fresh = file.with_name(f".{file.name}.fresh")
    try:
        fresh.write_text(json.dumps(found, indent=1) + "\n")
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def read(file: Path, policy: CanaryPolicy, runs: int, seed: int) -> list[Row]:
    """Nothing when there is no such file; exit 2 when it was made under another policy, with other runs or seeds."""
    if not file.exists():
        return []
    try:
        found = json.loads(file.read_text())
        rows = list(ROWS.validate_python(found["rows"]))
    except (ValueError, KeyError, TypeError, ValidationError):
        refuse(f"{file}: not rows of `graftwork simulate`: remove it, or keep elsewhere")
    if (found.get("policy"), found.get("runs"), found.get("seed")) != (policy.model_dump(mode="json"), runs, seed):
        refuse(f"{file}: made with another policy, or other --runs or --seed: remove it, or keep elsewhere")
    return rows
