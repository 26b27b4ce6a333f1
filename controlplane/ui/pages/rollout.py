"""Rollout: the ladder, the evidence of each metric beside what it has to reach, and every decision."""

from typing import Final

from controlplane.ui.action import Action
from controlplane.ui.page import SLOWLY, Ask, Found, Page
from controlplane.ui.verbs import ROLLOUT
from schemas.phases import FINAL_ROLLOUT_PHASES
from schemas.views.rollouts import RolloutDetail


def look(ask: Ask) -> Found:
    rollout = ask.client.get_rollout(ask.names["rollout"])
    return {
        "rollout": rollout,
        "evidence": ask.client.get_evidence(rollout.id),
        "decisions": ask.client.list_decisions(rollout.id),
    }


def concerns(found: Found) -> frozenset[str]:
    rollout: RolloutDetail = found["rollout"]
    return frozenset((str(rollout.id), rollout.deployment))


def every_seconds(found: Found) -> float:
    """Evidence grows without a fact."""
    return 2.0 if found["rollout"].phase == "Progressing" else SLOWLY


def actions(found: Found) -> list[Action]:
    rollout: RolloutDetail = found["rollout"]
    possible = _possible(rollout)
    given = {"revision": str(rollout.revision)}
    holds = [hold for hold in rollout.holds if hold.rollout_id is not None]
    found_actions = []
    for verb in ROLLOUT:
        if verb.name == "release-hold":
            found_actions += [Action(verb, "rollouts", str(rollout.id), {"hold": str(hold.id)}) for hold in holds]
        elif verb.name in possible:
            found_actions.append(Action(verb, "rollouts", str(rollout.id), {} if verb.name == "hold" else given))
    return found_actions


def _possible(rollout: RolloutDetail) -> frozenset[str]:
    """What has an effect in its phase; the API judges it again."""
    if rollout.phase in FINAL_ROLLOUT_PHASES:
        return frozenset()
    if rollout.phase == "Paused":
        return frozenset(
            {"resume", "promote", "abort", "hold"} if rollout.verdict is None else {"promote", "abort", "hold"}
        )
    if rollout.phase == "Progressing":
        return frozenset({"pause", "promote", "abort", "hold"})
    return frozenset({"abort", "hold"})


PAGE: Final = Page(
    path="/rollouts/{rollout}",
    template="rollout.html",
    look=look,
    fragments=("state", "actions", "evidence", "analysis", "decisions"),
    concerns=concerns,
    every_seconds=every_seconds,
    actions=actions,
)
