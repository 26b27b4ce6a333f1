"""Who does what only time moves, as histories tell it."""

from typing import Final

ACTOR: Final = "reconciler"
