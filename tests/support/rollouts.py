"""What a rollout's tests do again and again."""

from typing import Any

from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import InProcess

WORD = {"reason": "a person says so"}


def climb(site: InProcess, gateway: Gateway, rollout_id: str, *, seconds: int = 40, **traffic: Any) -> dict[str, Any]:
    """Observed seconds, each followed by a fold, until the rollout has ended."""
    for _ in range(seconds):
        gateway.observe(400, **traffic)
        site.turn()
        rollout = site.rollout(rollout_id)
        if rollout["finished_at"]:
            return rollout
        gateway.report()
    return rollout
