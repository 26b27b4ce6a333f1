"""The callers' own account: what each saw of its request, by itself."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from schemas.serving import Arm, PredictionClaims

Ending = Literal["finished", "failed", "hung up", "left", "cut", "gone", "refused"]
"""`finished`: read to the last piece, which is signed. `failed`: told that it is an error. `hung up`: left after the
answer's head. `left`: left before the head. `cut`: the connection ended after the head; `gone`: before it. `refused`:
answered without an arm, so not admitted."""


@dataclass(frozen=True)
class Seen:
    """One request that was sent to one life of a gateway."""

    number: int
    boot: UUID
    ending: Ending
    key: str | None = None
    arm: Arm | None = None
    """As the head said; None where none came."""
    chosen: bool = False
    """The caller named the version: a unit of no arm."""
    claims: PredictionClaims | None = None
    """What the signed end says: under which boot, second, generation and arm it counts."""
    fault: str | None = None
    """The class of what the connection ended with, where it was cut or gone."""
