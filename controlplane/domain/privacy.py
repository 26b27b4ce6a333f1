"""What a private training spent, from what its label says that it did."""

import math


def gaussian_delta(epsilon: float, noise_multiplier: float, steps: int) -> float:
    """The exact delta of that many full-batch Gaussian steps at an epsilon.

    Full-batch steps compose into one Gaussian mechanism (Dong, Roth and Su, https://arxiv.org/abs/1905.02383), whose
    delta has a closed form (Balle and Wang, https://arxiv.org/abs/1805.06530, theorem 8).
    """
    mu = math.sqrt(steps) / noise_multiplier
    return _normal(mu / 2 - epsilon / mu) - math.exp(epsilon) * _normal(-mu / 2 - epsilon / mu)


def _normal(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2
