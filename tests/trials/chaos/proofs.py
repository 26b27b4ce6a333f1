"""Proof from outside that a part works again after a fault, and how long that took."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import httpx

from controlplane.commands.spine.cursors import FACTS
from controlplane.commands.spine.dead_letters import RELAY
from controlplane.reconciler import LEASE as RECONCILER
from tests.trials.chaos import foundation
from tests.trials.chaos.caller import PATIENCE, Caller
from tests.trials.chaos.invariants.expected import Request
from tests.trials.chaos.ledger import Ledger
from tests.trials.chaos.site import DEPLOYMENT, ChaosSite

LOOK_SECONDS: Final = 0.1
ASK_AGAIN_SECONDS: Final = 4.0
PROBE_SOURCE: Final = "//example.com/chaos/probe"


class NotRecovered(Exception):
    """A part did not work again for longer than any fault lasts."""


@dataclass(frozen=True)
class Prover:
    """Asks one site; what it asks for is noted like everything else."""

    site: ChaosSite
    caller: Caller
    ledger: Ledger

    def prove(self, kind: str, part: str) -> None:
        """Returns when that part works. Raises NotRecovered."""
        proofs: dict[str, Callable[[str], object]] = {
            "worker": self.worker_claims,
            "api": lambda _: self.api_writes(),
            "relay": lambda _: self.fact_passes(RELAY),
            "broker": lambda _: self.fact_passes(RELAY),
            "reactions": lambda _: self.fact_passes(FACTS),
            "reconciler": lambda _: self.lease_moves(RECONCILER),
            "gateway": self.gateway_serves,
            "postgres": lambda _: self.api_writes(),
            "supervisor": lambda _: self.machine_works(),
            "everything": lambda _: self.machine_works(),
        }
        proofs[kind](part)

    def api_writes(self) -> int:
        """The seq of a fact that was recorded by this, or of a later one."""
        event = {"specversion": "1.0", "id": str(uuid4()), "source": PROBE_SOURCE, "type": "com.example.chaos.probe"}
        answer = self.caller.post("/v1/events", event, headers={"Content-Type": "application/cloudevents+json"})
        foundation.accepted(answer)
        self.ledger.note("events", (PROBE_SOURCE, event["id"]))
        return int(self._until(self.site.peek().last_fact, "a fact is recorded"))

    def fact_passes(self, cursor: str) -> None:
        """A fact recorded now is relayed, or read by our own reactions."""
        seq = self.api_writes()
        peek = self.site.peek()
        self._until(lambda: peek.cursor(cursor) >= seq, f"{cursor} passes fact {seq}")

    def lease_moves(self, name: str) -> None:
        peek = self.site.peek()
        before = self._until(lambda: peek.lease(name), f"the lease {name} can be read")
        self._until(lambda: peek.lease(name) != before, f"the lease {name} is taken or renewed")

    def gateway_serves(self, part: str) -> None:
        """It answers, and has reported since that it applies the generation of now."""
        since = datetime.now(UTC)
        url = self.site.gateways()[part]
        self._until(lambda: self._answers(part, url) and self._reports(part, since), f"{part} serves what it should")

    def worker_claims(self, part: str) -> None:
        """A job that it has not had before: some are asked for until it gets one."""
        before = {key for key, _ in self._claims_of(part)}
        asked = [-ASK_AGAIN_SECONDS]
        began = time.monotonic()

        def claimed() -> bool:
            if time.monotonic() - began - asked[-1] >= ASK_AGAIN_SECONDS:
                asked.append(time.monotonic() - began)
                self._ask_for_work()
            return any(key not in before for key, _ in self._claims_of(part))

        self._until(claimed, f"{part} claims a job")

    def machine_works(self) -> None:
        self.api_writes()
        for part in self.site.gateways():
            self.gateway_serves(part)

    def job_succeeds(self, job_id: str) -> None:
        self._until(lambda: self.caller.get(f"/v1/jobs/{job_id}").body["phase"] == "Succeeded", f"job {job_id} ends")

    def ask_for_job(self) -> str:
        """A small one that writes to the artifact store."""
        name = uuid4().hex[:12]
        spec = foundation.curate_spec(self.site, "probes", foundation.rows(8, int(name, 16)), f"probe-{name}")
        body = {"kind": "curate", "spec": spec, "max_attempts": foundation.MAX_ATTEMPTS}
        job = foundation.accepted(self.caller.post("/v1/jobs", body))
        self.ledger.note("jobs", UUID(job["id"]))
        return str(job["id"])

    def _ask_for_work(self) -> None:
        for _ in range(2):
            self.ask_for_job()

    def _claims_of(self, part: str) -> list[tuple[tuple[str, int], str]]:
        jobs = self.caller.get("/v1/jobs", limit=40).body["items"]
        owned = [job for job in jobs if (job["owner"] or "").rpartition("-")[0] == part]
        return [((job["id"], job["attempt"]), job["owner"]) for job in owned]

    def _answers(self, part: str, url: str) -> bool:
        asked, status = time.time(), None
        with contextlib.suppress(httpx.TransportError):
            status = httpx.post(f"{url}/v1/predict", json={"text": "a fine film"}, timeout=5).status_code
        self.ledger.note("requests", Request(part, asked, time.time(), status))
        return status == 200

    def _reports(self, part: str, since: datetime) -> bool:
        wanted = self.caller.get(f"/v1/deployments/{DEPLOYMENT}").body["generation"]
        gateways = self.caller.get(f"/v1/deployments/{DEPLOYMENT}/gateways").body
        return any(
            one["gateway"].startswith(part.partition("-")[0])
            and (one["gateway"] == part or len(self.site.gateways()) == 1)
            and one["generation"] == wanted
            and one["reported_at"] is not None
            and datetime.fromisoformat(one["reported_at"]) >= since
            for one in gateways
        )

    def _until(self, holds: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                found = holds()
            except OSError:
                found = None
            if found:
                return found
            if time.monotonic() > deadline:
                raise NotRecovered(f"not within {PATIENCE:.0f} s: {what}")
            time.sleep(LOOK_SECONDS)
