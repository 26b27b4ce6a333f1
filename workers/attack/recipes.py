"""The attack recipes: a name each, composed of TextAttack's parts. Imported in the attack's own process only."""

from collections.abc import Callable
from typing import Any, Final

from textattack import Attack
from textattack.attack_recipes import DeepWordBugGao2018

from schemas.jobs.attack import AttackRecipe

Recipe = Callable[[Any], Any]
"""A `textattack.goal_functions.GoalFunction` in, a `textattack.Attack` out."""


def deepwordbug(goal_function: Any) -> Any:
    """Typos in the words that matter most (Gao et al. 2018, https://arxiv.org/abs/1801.04354).

    TextAttack's own aims at classifiers; all its other parts are taken as they are.
    """
    theirs = DeepWordBugGao2018.build(goal_function.model)
    constraints = [*theirs.constraints, *theirs.pre_transformation_constraints]
    return Attack(goal_function, constraints, theirs.transformation, theirs.search_method)


RECIPES: Final[dict[AttackRecipe, Recipe]] = {"deepwordbug": deepwordbug}
