"""What users do in a round, each in a thread of its own; what was accepted is noted, what it means is judged later."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from schemas.jobs import SPECS
from schemas.phases import FINAL_ROLLOUT_PHASES
from tests.trials.chaos import doors, foundation
from tests.trials.chaos.caller import PATIENCE, Answer, Caller, GaveUp
from tests.trials.chaos.foundation import EVENT_SOURCE, EVENT_TYPE, MAX_ATTEMPTS, draw
from tests.trials.chaos.invariants.expected import AliasMove
from tests.trials.chaos.ledger import Ledger
from tests.trials.chaos.plan import Journey, RoundPlan
from tests.trials.chaos.site import DEPLOYMENT, MODEL, ChaosSite

LOOK_SECONDS: Final = 0.4
REFUSED: Final = (409, 412)
"""Somebody else was first, or the thing has ended meanwhile: an answer, not a fault."""


@dataclass(frozen=True)
class Traveller:
    """One journey on its way."""

    site: ChaosSite
    plan: RoundPlan
    journey: Journey
    caller: Caller
    ledger: Ledger
    dice: random.Random

    @property
    def name(self) -> str:
        return f"{self.plan.seed}-{self.journey.dice:08x}"

    def request(self, kind: str, spec: dict[str, Any]) -> str | None:
        answer = self.caller.post("/v1/jobs", {"kind": kind, "spec": spec, "max_attempts": MAX_ATTEMPTS})
        if not self.expect(answer):
            return None
        self.ledger.note("jobs", UUID(answer.body["id"]))
        return str(answer.body["id"])

    def expect(self, answer: Answer, *refusals: int) -> bool:
        """Good, or refused as it may be; whatever else it is, no fault excuses it."""
        if not answer.good and answer.status not in refusals:
            self.ledger.note_refusal(self.journey.name, answer.status, answer.text)
        return answer.good

    def curate_spec(self, count: int = 30) -> dict[str, Any]:
        found = foundation.rows(count, self.journey.dice)
        return foundation.curate_spec(self.site, "batches", found, f"rows-{self.name}")


def travel(traveller: Traveller) -> None:
    JOURNEYS[traveller.journey.name](traveller)


def curate(t: Traveller) -> None:
    t.request("curate", t.curate_spec())


def job(t: Traveller) -> None:
    """One job of the round's kind, for real: what every spec of its kind needs, and what keeps it small."""
    version = f"{MODEL}/{t.dice.randint(1, 2)}"
    needed = {"model": MODEL, "model_version": version, "dataset": "reviews@latest"}
    own: dict[str, dict[str, Any]] = {
        "train": foundation.train_spec(t.site, seed=t.journey.dice, frozen=True),
        "export": {"model_version": _newest(t.caller)},
        "attack": {"rows": 2, "query_budget": 20},
        "merge": {
            "sources": [{"model_version": f"{MODEL}/{n}", "weight": t.dice.choice((0.3, 0.5, 0.7))} for n in (1, 2)],
        },
    }
    kind = t.plan.kind
    required = {name for name, field in SPECS[kind].model_fields.items() if field.is_required()}
    t.request(kind, {name: value for name, value in needed.items() if name in required} | own.get(kind, {}))


def _newest(caller: Caller) -> str:
    return str(caller.get(f"/v1/models/{MODEL}/versions", limit=1).body["items"][0]["id"])


def cancel(t: Traveller) -> None:
    """Asked for and taken back, sometimes after it has begun."""
    job_id = t.request("curate", t.curate_spec(60))
    if job_id is None:
        return
    time.sleep(t.dice.choice((0, 0, 0.7, 1.5)))
    if t.expect(t.caller.post(f"/v1/jobs/{job_id}:cancel"), *REFUSED):
        t.ledger.note("cancelled", UUID(job_id))


def aliases(t: Traveller) -> None:
    """Moves of an alias that no deployment follows, each naming the move before it: two rivals at a time."""
    path = f"/v1/models/{MODEL}/aliases/challenger"
    for _ in range(2):
        rival = random.Random(t.dice.getrandbits(64))
        bodies = [{"model_version": f"{MODEL}/{t.dice.randint(1, 2)}", "reason": f"seed {t.plan.seed}"} for _ in "ab"]
        now = t.caller.get(path)
        condition = {"If-Match": str(now.etag)} if now.good else {"If-None-Match": "*"}
        with (
            Caller(t.site.api_url, t.site.admin_token, t.ledger, rival, repeats=0) as other,
            ThreadPoolExecutor(2) as pool,
        ):
            moves = [
                pool.submit(c.put, path, b, headers=condition) for c, b in zip((t.caller, other), bodies, strict=True)
            ]
        for answer in (move.result() for move in moves):
            if t.expect(answer, *REFUSED):
                t.ledger.note("moves", _move(answer.body, now))


def _move(body: dict[str, Any], before: Answer) -> AliasMove:
    expected = UUID(before.body["id"]) if before.good else None
    return AliasMove(UUID(body["id"]), MODEL, body["alias"], UUID(body["model_version_id"]), expected)


def events(t: Traveller) -> None:
    """Inbound events by both doors, some twice and some by both, and one that no trigger wants."""
    file = foundation.write_rows(t.site, foundation.rows(20, t.journey.dice), f"arrived-{t.name}")
    for number, kind in enumerate((EVENT_TYPE, "com.example.nobody.asked")):
        event = {
            "specversion": "1.0",
            "id": f"{t.name}-{number}",
            "source": EVENT_SOURCE,
            "type": kind,
            "data": {"uri": file.as_uri()},
        }
        for door in t.dice.choice((("http",), ("kafka",), ("kafka", "kafka"), ("kafka", "http"), ("http", "http"))):
            t.expect(doors.publish(event, door, t.caller, t.site.bootstrap_servers))
        t.ledger.note("events", (EVENT_SOURCE, event["id"]))


def pipeline(t: Traveller) -> None:
    if t.journey.detail == "release":
        params: dict[str, Any] = {"seed": t.journey.dice}
    else:
        file = foundation.write_rows(t.site, foundation.rows(20, t.journey.dice), f"chain-{t.name}")
        params = {"uri": file.as_uri()}
    answer = t.caller.post(f"/v1/pipelines/{t.journey.detail}:run", {"params": params})
    if t.expect(answer):
        t.ledger.note("runs", UUID(answer.body["id"]))


def rollout(t: Traveller) -> None:
    """Put another version on its way, and sometimes have a word in it."""
    rollout_id = _start_rollout(t)
    if rollout_id is None:
        return
    if t.journey.detail in ("promote", "abort", "pause"):
        time.sleep(t.dice.uniform(0.5, 4))
        _word(t, rollout_id, t.journey.detail)
        if t.journey.detail == "pause":
            time.sleep(t.dice.uniform(0.2, 2))
            _word(t, rollout_id, "resume")
    ends(t, rollout_id)


def _start_rollout(t: Traveller) -> str | None:
    served = t.caller.get(f"/v1/deployments/{DEPLOYMENT}").body["desired"]
    others = [one["id"] for one in foundation.exported_versions(t.caller) if one["id"] != served["stable"]]
    if not others:
        return None
    body = {"deployment": DEPLOYMENT, "model_version": draw(t.dice, others), "reason": f"seed {t.plan.seed}"}
    answer = t.caller.post("/v1/rollouts", body)
    if not t.expect(answer, *REFUSED):
        return None
    t.ledger.note("rollouts", UUID(answer.body["id"]))
    return str(answer.body["id"])


def _word(t: Traveller, rollout_id: str, verb: str) -> None:
    t.expect(t.caller.post(f"/v1/rollouts/{rollout_id}:{verb}", {"reason": f"seed {t.plan.seed}"}), *REFUSED)


def ends(t: Traveller, rollout_id: str) -> None:
    """Evidence decides; what stands because evidence is missing is aborted by its operator."""
    deadline = time.monotonic() + PATIENCE
    while (found := t.caller.get(f"/v1/rollouts/{rollout_id}").body)["phase"] not in FINAL_ROLLOUT_PHASES:
        if found["phase"] == "Paused":
            # A resume is refused while evidence is missing as well; once that is back, the pause is still there.
            _word(t, rollout_id, "resume" if found["paused_for"] == "operator" else "abort")
        if found["phase"] == "Queued" and t.caller.get(f"/v1/deployments/{DEPLOYMENT}").body["frozen"]:
            thaw(t)
        if time.monotonic() > deadline:
            raise GaveUp(f"rollout {rollout_id} is still {found['phase']}: {found['reason']}")
        time.sleep(LOOK_SECONDS)


def rollback(t: Traveller) -> None:
    """To what served before; its queue is thawed again."""
    rollout_id = None
    if t.journey.detail == "during a rollout":
        rollout_id = _start_rollout(t)
        time.sleep(t.dice.uniform(0.5, 3))
    body = {"reason": f"seed {t.plan.seed}", "force": t.journey.detail == "forced"}
    answer = t.caller.post(f"/v1/deployments/{DEPLOYMENT}:rollback", body)
    if t.expect(answer, *REFUSED):
        t.ledger.note("rollbacks", UUID(answer.body["id"]))
        _rollback_ends(t, answer.body["id"])
        thaw(t)
    if rollout_id is not None:
        ends(t, rollout_id)


def _rollback_ends(t: Traveller, rollback_id: str) -> None:
    deadline = time.monotonic() + PATIENCE
    path = f"/v1/deployments/{DEPLOYMENT}/rollbacks"
    while any(one["id"] == rollback_id and one["phase"] == "Verifying" for one in t.caller.get(path).body):
        if time.monotonic() > deadline:
            raise GaveUp(f"rollback {rollback_id} does not end")
        time.sleep(LOOK_SECONDS)


def thaw(t: Traveller) -> None:
    t.expect(t.caller.post(f"/v1/deployments/{DEPLOYMENT}:resume"), *REFUSED)


JOURNEYS: Final[dict[str, Callable[[Traveller], None]]] = {
    one.__name__: one for one in (curate, job, cancel, aliases, events, pipeline, rollout, rollback)
}
