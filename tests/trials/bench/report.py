"""What a benchmark answers: ours beside an alternative, round by round in one run, and whether a goal is met."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, Self, TypeVar

T = TypeVar("T")
Comparison = Literal["ours / alternative", "alternative / ours", "ours - alternative", "ours"]
SIGNS = {"at least": "≥", "at most": "≤"}


@dataclass(frozen=True)
class Goal:
    """A bound on the median of what is compared."""

    kind: Literal["at least", "at most"]
    bound: float

    def met_by(self, value: float) -> bool:
        return value >= self.bound if self.kind == "at least" else value <= self.bound

    def __str__(self) -> str:
        return f"{SIGNS[self.kind]} {self.bound:g}"


@dataclass(frozen=True)
class Ratio:
    """One published number. Despite its name it may be a difference, or ours alone where nothing compares."""

    name: str
    unit: str
    """The unit of `ours` and `alternative`: `events/s`, `ms`."""
    ours: tuple[float, ...]
    """One value a round."""
    alternative: tuple[float, ...] = ()
    """The alternative's values in the same rounds; none when ours stands alone."""
    against: str = ""
    """What the alternative is, in a few words."""
    compare: Comparison = "ours / alternative"
    goal: Goal | None = None
    """None: reported, not judged."""
    beside_goal: bool = False
    """Without a goal of its own it stands wherever the one above it does, which without it would say too much."""
    note: str = ""
    """Conditions, what ours does beyond the alternative, and for a missed goal by how much and where the time goes."""

    def __post_init__(self) -> None:
        if not self.ours or (self.compare != "ours" and len(self.ours) != len(self.alternative)):
            raise ValueError(f"{self.name}: {len(self.ours)} rounds of ours, {len(self.alternative)} of the other")

    @classmethod
    def of(cls, name: str, unit: str, pairs: Sequence[tuple[float, float]], **more: object) -> Self:
        """From what `alternate` answers."""
        ours, alternative = zip(*pairs, strict=True)
        return cls(name=name, unit=unit, ours=ours, alternative=alternative, **more)  # type: ignore[arg-type]

    @property
    def values(self) -> tuple[float, ...]:
        """What is compared, one value a round."""
        return tuple(
            _compare(self.compare, *pair) for pair in zip(self.ours, self.alternative or self.ours, strict=True)
        )

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """Lowest and highest of the rounds."""
        return min(self.values), max(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the goal; None without one."""
        return None if self.goal is None else self.goal.met_by(self.median)


def alternate(rounds: int, ours: Callable[[], T], alternative: Callable[[], T]) -> list[tuple[T, T]]:
    """Both in turn, after one uncounted turn of each; who begins changes every round, so that no one gains by order."""
    ours(), alternative()
    pairs = []
    for number in range(rounds):
        if number % 2:
            second = alternative()
            pairs.append((ours(), second))
        else:
            first = ours()
            pairs.append((first, alternative()))
    return pairs


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many per cent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * percent // 100) - 1)]


def _compare(how: Comparison, ours: float, alternative: float) -> float:
    match how:
        case "ours / alternative":
            return ours / alternative
        case "alternative / ours":
            return alternative / ours
        case "ours - alternative":
            return ours - alternative
        case "ours":
            return ours
