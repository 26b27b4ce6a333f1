"""Means over rows with their 95 % intervals: of numbers from 0 to 1, of their differences, and of perplexities."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.evidence import PairedMean
from workers.evidence.statistics import Z95


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Likelihood:
    """What a version takes the tokens of one row's completion for."""

    nats: float
    """The sum of their negative log-likelihoods."""
    tokens: int


def mean(values: Sequence[float]) -> Estimate:
    """The mean of numbers from 0 to 1, with two rows at either end added to find the interval.

    Of proportions it is the adjusted Wald interval (Agresti & Coull, The American Statistician 52, 1998): unlike a
    bootstrap's it does not shrink to nothing where all rows are alike.
    """
    found = math.fsum(values) / len(values)
    low, high = _normal([*values, 0.0, 0.0, 1.0, 1.0])
    return Estimate(found, max(0.0, min(low, found)), min(1.0, max(high, found)), len(values))


def paired_mean(values: Sequence[float], other: Sequence[float]) -> PairedMean:
    """The mean difference of numbers from 0 to 1, with half a row at -1, half a row at 1 and one at 0 added.

    Of proportions it is the adjusted Wald interval of matched pairs (Agresti & Min, Statistics in Medicine 24, 2005).
    """
    differences = [mine - theirs for mine, theirs in zip(values, other, strict=True)]
    n, found = len(differences), math.fsum(differences) / len(differences)
    center = math.fsum(differences) / (n + 2)
    squares = math.fsum(one**2 for one in differences) + 1.0
    half = Z95 * math.sqrt((squares / (n + 2) - center**2) / (n + 2))
    return PairedMean(
        n=n, difference=found, low=max(-1.0, min(center - half, found)), high=min(1.0, max(center + half, found))
    )


def perplexity(rows: Sequence[Likelihood]) -> Estimate:
    """exp(nats / tokens) of all rows together, by the delta method with rows as clusters, on the scale of nats."""
    nats = _nats_per_token(rows)
    error = _standard_error([one.nats - nats * one.tokens for one in rows]) / sum(one.tokens for one in rows)
    return Estimate(math.exp(nats), math.exp(max(0.0, nats - Z95 * error)), math.exp(nats + Z95 * error), len(rows))


def paired_perplexity(rows: Sequence[Likelihood], other: Sequence[Likelihood]) -> PairedMean:
    """The difference of two perplexities of the same tokens, by the delta method with rows as clusters."""
    mine, theirs = _nats_per_token(rows), _nats_per_token(other)
    tokens = sum(one.tokens for one in rows)
    influences = [
        (math.exp(mine) * (here.nats - mine * here.tokens) - math.exp(theirs) * (there.nats - theirs * there.tokens))
        for here, there in zip(rows, other, strict=True)
    ]
    found, half = math.exp(mine) - math.exp(theirs), Z95 * _standard_error(influences) / tokens
    return PairedMean(n=len(rows), difference=found, low=found - half, high=found + half)


def _nats_per_token(rows: Sequence[Likelihood]) -> float:
    return math.fsum(one.nats for one in rows) / sum(one.tokens for one in rows)


def _standard_error(values: Sequence[float]) -> float:
    """For a sum of values whose own sum is 0."""
    return math.sqrt(len(values) / (len(values) - 1) * math.fsum(one**2 for one in values))


def _normal(values: Sequence[float]) -> tuple[float, float]:
    center = math.fsum(values) / len(values)
    half = Z95 * math.sqrt(math.fsum((one - center) ** 2 for one in values) / len(values) / len(values))
    return center - half, center + half
