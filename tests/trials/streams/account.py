"""Everything that is reconciled: what callers saw, what gateways wrote down, and what the control plane has kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from controlplane.domain.analysis.state import AnalysisState
from schemas.serving import GenerationSecond
from tests.trials.streams.journals import Written
from tests.trials.streams.seen import Seen


@dataclass(frozen=True)
class Boot:
    """One life of a gateway. Its seconds are in its own clock."""

    id: UUID
    gateway: str
    journal: Written
    late_units: int = 0
    """In the seconds that were refused as late."""
    killed: bool = False


@dataclass(frozen=True)
class Row:
    """What the control plane keeps of one second of one boot."""

    boot: UUID
    second: int
    lost: bool
    """Told by the next boot, with units that this one never ended."""
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
