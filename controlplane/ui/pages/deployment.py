"""Deployment: what serves, its gateways, what served before and who moved it, and its rollouts."""

from typing import Final

from controlplane.ui.action import Action
from controlplane.ui.page import Ask, Found, Page
from controlplane.ui.pages.paging import some
from controlplane.ui.verbs import DEPLOYMENT

ROLLOUTS: Final = 20


def look(ask: Ask) -> Found:
    name = ask.names["deployment"]
    deployment = ask.client.get_deployment(name)
    return {
        "deployment": deployment,
        "gateways": ask.client.list_gateways(name),
        "rollouts": some(ask.client.list_rollouts(deployment=name, limit=ROLLOUTS + 1), ROLLOUTS)[0],
        "rollbacks": ask.client.list_rollbacks(name),
        "served": ask.client.served(name, ask.options["at"]) if ask.options.get("at") else None,
    }


def concerns(found: Found) -> frozenset[str]:
    return frozenset({found["deployment"].name})


def actions(found: Found) -> list[Action]:
    deployment = found["deployment"]
    made = []
    for verb in DEPLOYMENT:
        if verb.name == "release-hold":
            made += [Action(verb, "deployments", deployment.name, {"hold": str(hold.id)}) for hold in deployment.holds]
        elif verb.name == "resume":
            made += [Action(verb, "deployments", deployment.name)] if deployment.frozen else []
        elif verb.name != "rollback" or deployment.desired:
            made.append(Action(verb, "deployments", deployment.name))
    return made


PAGE: Final = Page(
    path="/deployments/{deployment}",
    template="deployment.html",
    look=look,
    fragments=("state", "actions", "gateways", "rollouts", "rollbacks"),
    concerns=concerns,
    actions=actions,
)
