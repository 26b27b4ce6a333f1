"""What can be done from a page, by the kind of thing, with the role that the API asks for.

A test holds each role to the API's own table: a button that a person sees is one that they may press.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast, get_args

from controlplane.client import Client
from controlplane.ui.action import REASON, Field, Verb
from schemas.roles import Role

Send = Callable[[Client, str, Mapping[str, str]], Any]


def _rollout(verb: str) -> Send:
    def send(client: Client, rollout: str, given: Mapping[str, str]) -> Any:
        seen = given.get("revision")
        return client.act_on_rollout(rollout, verb, given[REASON], revision=int(seen) if seen else None)

    return send


def _roll_back(client: Client, name: str, given: Mapping[str, str]) -> Any:
    return client.rollback(name, given[REASON], target=given.get("target") or None)


ROLLOUT: Final = (
    Verb("pause", "Pause", "operator", "The ladder stands still; harm is still watched.", _rollout("pause")),
    Verb("resume", "Resume", "operator", "The ladder goes on from the step where it stands.", _rollout("resume")),
    Verb(
        "promote",
        "Promote now",
        "releaser",
        "The rest of the ladder is skipped: the canary becomes the stable version. It is kept with the evidence as it "
        "stands.",
        _rollout("promote"),
        danger=True,
    ),
    Verb(
        "abort",
        "Abort",
        "operator",
        "The canary gets no more traffic; the stable version serves alone.",
        _rollout("abort"),
        danger=True,
    ),
    Verb(
        "hold",
        "Hold",
        "auditor",
        "It is not promoted and gets no more weight until another person releases it.",
        lambda client, rollout, given: client.hold_rollout(rollout, given[REASON]),
    ),
    Verb(
        "release-hold",
        "Release the hold",
        "auditor",
        "It may go on. Whoever releases it may not promote it.",
        lambda client, rollout, given: client.release_rollout_hold(rollout, given[REASON], hold=given.get("hold")),
    ),
)
DEPLOYMENT: Final = (
    Verb(
        "rollback",
        "Roll back",
        "releaser",
        "Gateways load the version and answer first, then the pointer moves; what is queued waits for a person.",
        _roll_back,
        fields=(Field("target", "Version (empty: what served before)", optional=True),),
        danger=True,
    ),
    Verb(
        "resume",
        "Resume the queue",
        "releaser",
        "Queued rollouts go on.",
        lambda client, name, _given: client.resume_deployment(name),
        reason=False,
    ),
    Verb(
        "hold",
        "Hold all its rollouts",
        "auditor",
        "No rollout of it is promoted or gets more weight until another person releases it.",
        lambda client, name, given: client.hold_deployment(name, given[REASON]),
    ),
    Verb(
        "release-hold",
        "Release the hold",
        "auditor",
        "Its rollouts may go on.",
        lambda client, name, given: client.release_deployment_hold(name, given[REASON], hold=given.get("hold")),
    ),
)
DEAD_LETTER: Final = (
    Verb(
        "replay",
        "Replay",
        "operator",
        "It is handled once more, as if it came now.",
        lambda client, letter, _given: client.replay_dead_letter(letter),
        reason=False,
    ),
    Verb(
        "discard",
        "Discard",
        "operator",
        "It is never handled. What it held is kept as long as dead letters are.",
        lambda client, letter, _given: client.discard_dead_letter(letter),
        reason=False,
        danger=True,
    ),
)
JOB: Final = (
    Verb(
        "cancel",
        "Cancel",
        "operator",
        "Its worker stops at the next chance; what it did is thrown away.",
        lambda client, job, _given: client.cancel_job(job),
        reason=False,
        danger=True,
    ),
    Verb(
        "retry",
        "Ask again",
        "operator",
        "A new job with the same spec is requested.",
        lambda client, job, _given: client.retry_job(job),
        reason=False,
    ),
)
RUN: Final = (
    Verb(
        "cancel",
        "Cancel",
        "operator",
        "What runs is stopped, and what waits never starts.",
        lambda client, run, given: client.cancel_run(run, given[REASON]),
        danger=True,
    ),
)
TOKEN: Final = (
    Verb(
        "create",
        "Make a token",
        "admin",
        "Whoever has it may do what its role may, until it is revoked. It is shown once, on the next page.",
        lambda client, _none, given: client.create_token(given.get("name", ""), cast(Role, given.get("role", ""))),
        fields=(Field("name", "Whose it is"), Field("role", "Role", choices=get_args(Role))),
        reason=False,
        makes=True,
        answer="new_token.html",
    ),
    Verb(
        "revoke",
        "Revoke",
        "admin",
        "From now on it opens nothing, and whoever signed in with it is signed out. It cannot be taken back.",
        lambda client, token, _given: client.revoke_token(token),
        reason=False,
        danger=True,
        method="DELETE",
    ),
)
VERBS: Final[Mapping[str, tuple[Verb, ...]]] = {
    "rollouts": ROLLOUT,
    "deployments": DEPLOYMENT,
    "dead-letters": DEAD_LETTER,
    "jobs": JOB,
    "pipeline-runs": RUN,
    "tokens": TOKEN,
}
"""By the noun of the API's routes."""


def verb_of(noun: str, name: str) -> Verb | None:
    return next((one for one in VERBS.get(noun, ()) if one.name == name and not one.makes), None)


def maker_of(noun: str) -> Verb | None:
    """How a thing of that kind is made, where a page may."""
    return next((one for one in VERBS.get(noun, ()) if one.makes), None)
