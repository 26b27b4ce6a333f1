"""The attack recipes: a name each, composed of TextAttack's parts. Imported in the attack's own process only."""

from collections.abc import Callable
from typing import Any, Final

from textattack.attack_recipes import DeepWordBugGao2018

from schemas.jobs.attack import AttackRecipe

Recipe = Callable[[Any], Any]
"""A model wrapper in, a `textattack.Attack` out."""


def deepwordbug(model_wrapper: Any) -> Any:
    """Typos in the words that matter most (Gao et al. 2018, https://arxiv.org/abs/1801.04354)."""
    return DeepWordBugGao2018.build(model_wrapper)


RECIPES: Final[dict[AttackRecipe, Recipe]] = {"deepwordbug": deepwordbug}
