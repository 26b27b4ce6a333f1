"""How much more event counts vary than independent units would: failures that come together count for less.

Dividing a log-likelihood ratio by a constant of at least one keeps its exponential an e-value (Jensen); by the size of
clusters, under any dependence within them (Hölder). φ is estimated, so the simulator has to show what that costs.
"""

from collections.abc import Iterable
from typing import NamedTuple

from controlplane.domain.analysis.eprocess import Counts


class Sums(NamedTuple):
    """One arm's, over windows of half a tick; n is a window's units, y its events."""

    windows: int = 0
    """With units."""
    units: int = 0
    """Σ n"""
    events: int = 0
    """Σ y"""
    units_squared: int = 0
    """Σ n²"""
    products: int = 0
    """Σ n·y"""
    events_squared: int = 0
    """Σ y²"""

    def plus(self, other: "Sums") -> "Sums":
        return Sums(*(mine + others for mine, others in zip(self, other, strict=True)))

    def phi(self) -> float:
        """φ = Σ (y − n·rate)² / (rate·(1 − rate)) / Σ n around the arm's own rate, for W − 1 of its W windows.

        About 1 where units fail independently; nothing can be told from one window, or where all of them are alike.
        """
        if self.windows < 2 or not 0 < self.events < self.units:
            return 1.0
        rate = self.events / self.units
        squares = self.events_squared - 2 * rate * self.products + rate * rate * self.units_squared
        return squares / (rate * (1 - rate) * self.units) * self.windows / (self.windows - 1)


class Dispersion(NamedTuple):
    """The sums of both arms from which the dispersion index follows."""

    stable: Sums = Sums()
    canary: Sums = Sums()

    def plus(self, other: "Dispersion") -> "Dispersion":
        return Dispersion(self.stable.plus(other.stable), self.canary.plus(other.canary))

    def phi(self) -> float:
        """The larger of the arms': the smaller arm's failures must not drown in the larger one's."""
        return max(self.stable.phi(), self.canary.phi())


def dispersion_of(windows: Iterable[Counts]) -> Dispersion:
    total = Dispersion()
    for window in windows:
        stable = _window(window.stable_units, window.stable_events)
        total = total.plus(Dispersion(stable, _window(window.canary_units, window.canary_events)))
    return total


def _window(units: int, events: int) -> Sums:
    return Sums(1, units, events, units * units, units * events, events * events) if units else Sums()
