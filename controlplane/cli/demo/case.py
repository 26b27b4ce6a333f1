"""What the demo of one task shows: its documents, its users, and what it promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import yaml

from controlplane.cli.demo.users import User


@dataclass(frozen=True)
class Size:
    """How much of everything: the whole demo, or the shortened one that CI runs."""

    first: int
    """Rows of the first batch, with those that are held out."""
    second: int
    third: int
    """Rows that the bad version learns."""
    per_second: float
    """Requests of users."""
    minimum: float
    """What the final champion must reach in what is promised; below it the demo fails."""
    canary: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the deployment's canary that have another value; none that says how certain a verdict is."""


@dataclass(frozen=True)
class Case:
    """One task's demo."""

    documents: str
    """The folder of its deployment, pipelines and trigger."""
    deployment: str
    model: str
    dataset: str
    event_type: str
    bad: str
    """The pipeline of the bad version, and what it is called."""
    bad_in_words: str
    first_epochs: int
    figures: Sequence[tuple[str, str]]
    """What is measured on test rows and shown: its heading and the metric."""
    attacked: bool
    promised: str
    """The metric that the champion must reach."""
    held_out: int
    """Rows on which it is measured, at least."""
    columns: tuple[str, str]
    """Which columns of a row say what users ask, and what the right answer is."""
    user: User
    at_once: int
    """Requests of users under way at most."""
    whole: Size
    short: Size

    def deployment_of(self, size: Size) -> dict[str, Any]:
        found = self.document("deployment")
        found["policy"]["canary"] |= size.canary
        return found

    def document(self, name: str) -> dict[str, Any]:
        folder = resources.files("controlplane.cli.demo") / self.documents
        found = yaml.safe_load((folder / f"{name}.yaml").read_text())
        assert isinstance(found, dict)
        return found
