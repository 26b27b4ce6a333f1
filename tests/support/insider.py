"""An insider with an operator's token, and what the audit log says of what he tried."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi.testclient import TestClient

from controlplane.store.database import Database
from schemas.evidence import Interval
from schemas.jobs.attack import AttackResult
from schemas.jobs.evaluate import EvaluateResult
from schemas.roles import Role
from schemas.views.audit import Outcome
from tests.support.answers import ok
from tests.support.builders.artifacts import digest
from tests.support.builders.results import DEEPWORDBUG, TEST_ROWS, Beside, attacked, beside, evaluated
from tests.support.scripted_gateway import Gateway
from tests.support.scripted_worker import Worker
from tests.support.worlds.in_process import Findings, InProcess

ROWS: dict[str, Any] = {"dataset": "reviews", "min_rows": 1000}
GATES: list[dict[str, Any]] = [
    {"gate": "parity"},
    {"gate": "metric", "metric": "accuracy", **ROWS, "minimum": 0.7, "not_worse_than_champion_by": 0.02},
    {"gate": "metric", "metric": "attack_success_rate_at_worst", **ROWS, "attack": DEEPWORDBUG, "maximum": 0.6},
]
ME, EVE = "operator", "eve"
DOUBT = {"reason": "it looks bad"}


@dataclass(frozen=True)
class Attempt:
    """One entry of the audit log: what the insider tried, and as whom."""

    action: str
    outcome: Outcome = "refused"
    actor: str = ME


class Insider:
    """Holds an operator's token, and is `eve` where another role is at hand. Workers and gateways are honest."""

    def __init__(self, database: Database) -> None:
        self.site = InProcess(database)
        self.site.deploy(gates=GATES)
        self.champion = self.site.version(Findings(accuracy=0.9, attack_success=0.2))
        self.site.release(self.champion)
        self.site.turn()
        self.bad = self.site.version(
            Findings(accuracy=0.5, attack_success=0.95, against=self.champion, difference=-0.4)
        )
        self.me = self.site.client(ME)
        self._before = self.entries()

    def eve(self, role: Role) -> TestClient:
        return self.site.person(EVE, role)

    def entries(self) -> list[Attempt]:
        """What the audit log says of the insider, oldest first; every refusal says how it was answered and why."""
        found = ok(self.site.client("auditor").get("/v1/audit", params={"order": "oldest", "limit": 200}))["items"]
        for entry in found:
            assert (entry["outcome"] == "refused") == (400 <= entry["status"] < 500) == bool(entry["detail"])
        return [Attempt(e["action"], e["outcome"], e["actor"]) for e in found if e["actor"] in (ME, EVE)]

    def attempts(self) -> list[Attempt]:
        return self.entries()[len(self._before) :]

    def ask(self, kind: str, **spec: Any) -> Any:
        """For a job that measures the bad version."""
        asked = {"model_version": str(self.bad), "dataset": "reviews/1", "against": str(self.champion), **spec}
        return self.me.post("/v1/jobs", json={"kind": kind, "spec": asked})

    def measure(self, result: EvaluateResult | AttackResult, **spec: Any) -> None:
        """Ask for a job that shows the bad version in a better light; its worker answers."""
        ok(self.ask(result.kind, **spec))
        worker = Worker(self.site)
        worker.answer(worker.claim(result.kind), result)

    def release(self, **body: Any) -> Any:
        wish = {"deployment": "reviews", "model_version": str(self.bad), "reason": "trust me", **body}
        return self.me.post("/v1/rollouts", json=wish)

    def drill(self, hold: str | None = None) -> tuple[Gateway, str]:
        """Somebody else has waived the gates, so that the bad version has a canary's weight; an auditor may hold it."""
        rollout = str(self.site.release(self.bad, "releaser", waive_gates="somebody else's drill")["id"])
        gateway = Gateway(self.site)
        gateway.report()
        self.site.turn()
        gateway.observe(40)
        urls = {"rollout": f"/v1/rollouts/{rollout}", "deployment": "/v1/deployments/reviews"}
        if hold:
            ok(self.site.client("auditor").post(f"{urls[hold]}:hold", json=DOUBT))
        return gateway, rollout

    def tidy_up(self, rollout: str) -> None:
        ok(self.site.client("releaser").post(f"/v1/rollouts/{rollout}:abort", json={"reason": "the drill is over"}))


Way = Callable[[Insider], Any]


def right(insider: Insider, *, rows: str = TEST_ROWS, against: UUID | None = None, **where: Any) -> EvaluateResult:
    """Nearly every row, and better than the other version."""
    found = evaluated(insider.bad, 0.99 - 0.02, beside(against or insider.champion, 0.05), **where)
    return found.model_copy(update={"rows_digest": digest(rows)})


def broken(insider: Insider, success: float | Interval = 0.1, other: Beside | None = None, **said: Any) -> AttackResult:
    """Hardly any row."""
    return attacked(insider.bad, success, other or beside(insider.champion, 0, neither=400), **said)
