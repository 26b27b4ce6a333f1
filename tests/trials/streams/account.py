"""Everything that is reconciled: what callers saw, what gateways wrote down, and what the control plane has kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from controlplane.domain.analysis.state import AnalysisState
from schemas.serving import GenerationSecond
from tests.trials.streams.journals import Entry
from tests.trials.streams.seen import Seen


@dataclass(frozen=True)
class Boot:
    """One life of a gateway. Its seconds are in its own clock."""

    id: UUID
    gateway: str
    journal: tuple[Entry, ...]
    watermark: int
    """The last second that the control plane has accepted, or refused as late."""
    late_units: int = 0
    """In the seconds that were refused as late."""
    untold_since: int | None = None
    """Since when it had not the time to tell of its seconds before it was killed; None: it lives."""


@dataclass(frozen=True)
class Row:
    """What the control plane keeps of one second of one boot."""

    boot: UUID
    second: int
    lost: bool
    """Told by the next boot: units that this one never ended."""
    generations: tuple[GenerationSecond, ...]


@dataclass(frozen=True)
class Account:
    seen: Sequence[Seen]
    boots: Sequence[Boot]
    rows: Sequence[Row]
    salts: Mapping[int, str]
    """Generation to the salt under which it hashes session keys."""
    folds: Sequence[AnalysisState]
    """The evidence of each rollout when nothing more came."""
