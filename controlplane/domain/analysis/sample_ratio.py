"""The sequential Bayes factor that asks whether units reached the arms in the applied weight's ratio.

Lindon and Malek, NeurIPS 2022 (https://arxiv.org/abs/2011.03567). The factor of a sequence depends on its counts only.
"""

from math import lgamma, log
from typing import Final

CONCENTRATION: Final = 100.0


def log_bayes_factor(stable_units: int, canary_units: int, weight: float) -> float:
    """Beta-binomial around the weight against the weight itself, for the units of one generation."""
    canary_prior, stable_prior = CONCENTRATION * weight, CONCENTRATION * (1 - weight)
    posterior = _log_beta(canary_prior + canary_units, stable_prior + stable_units)
    expected = canary_units * log(weight) + stable_units * log(1 - weight)
    return posterior - _log_beta(canary_prior, stable_prior) - expected


def _log_beta(first: float, second: float) -> float:
    return lgamma(first) + lgamma(second) - lgamma(first + second)
