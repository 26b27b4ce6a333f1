"""The split: which versions a unit may get, and which arm it gets, as a pure function of salt, unit and weight."""

import hashlib

from schemas.serving import Arm, Generation, ServedVersion

_BITS = 53
"""What a float holds exactly: every fraction is below 1, so weight 1 takes all and weight 0 takes none."""


def fraction_of(salt: str, unit: str) -> float:
    """Uniform in [0, 1); another salt draws afresh."""
    return (int.from_bytes(_digest("arm", salt, unit)[:8], "big") >> (64 - _BITS)) / 2.0**_BITS


def drawable(generation: Generation, weight: float) -> tuple[ServedVersion, ...]:
    """Stable first."""
    stable = generation.stable if weight < 1.0 else None
    canary = generation.canary if weight > 0.0 else None
    return tuple(version for version in (stable, canary) if version is not None)


def draw_arm(salt: str, unit: str, weight: float) -> Arm:
    return "canary" if fraction_of(salt, unit) < weight else "stable"


def hash_key(salt: str, key: str) -> str:
    """What the control plane sees of a session key: the same within a step, unlinkable to the next one."""
    return _digest("key", salt, key).hex()[:32]


def _digest(purpose: str, salt: str, unit: str) -> bytes:
    # the salt is hashed first, so that no pair of salt and unit can read as another pair
    prefix = hashlib.sha256(f"{purpose}:{salt}".encode("utf-8", "surrogatepass")).digest()
    return hashlib.sha256(prefix + unit.encode("utf-8", "surrogatepass")).digest()
