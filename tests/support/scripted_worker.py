"""A worker that a test speaks for: it claims, and answers what the test wants it to have made."""

from typing import Any
from uuid import UUID, uuid4

from schemas.jobs import JobResult
from tests.support.answers import ok
from tests.support.builders.artifacts import artifact
from tests.support.builders.models import IDENTITY, varied
from tests.support.builders.results import curated, exported, trained
from tests.support.worlds.in_process import InProcess

OWNER = "test-worker"


class Worker:
    def __init__(self, world: InProcess) -> None:
        self._client = world.client("admin")

    def claim(self, *kinds: str) -> dict[str, Any]:
        """The oldest job of those kinds; the test fails when there is none."""
        body = {"kinds": list(kinds), "claim_id": str(uuid4()), "owner": OWNER}
        claim = ok(self._client.post("/v1/jobs:claim", json=body))["claim"]
        assert claim is not None, f"no job of {kinds}"
        return claim  # type: ignore[no-any-return]

    def idle(self, *kinds: str) -> bool:
        body = {"kinds": list(kinds), "claim_id": str(uuid4()), "owner": OWNER}
        return ok(self._client.post("/v1/jobs:claim", json=body))["claim"] is None

    def answer(self, claim: dict[str, Any], result: JobResult) -> dict[str, Any]:
        body = {"attempt": claim["attempt"], "owner": OWNER, "result": result.model_dump(mode="json")}
        return ok(self._client.post(f"/v1/jobs/{claim['job_id']}:complete", json=body))  # type: ignore[no-any-return]

    def fail(self, claim: dict[str, Any], reason: str) -> None:
        body = {"attempt": claim["attempt"], "owner": OWNER, "reason": reason, "retryable": False}
        ok(self._client.post(f"/v1/jobs/{claim['job_id']}:fail", json=body))

    def curate(self, name: str = "rows", *, claim: dict[str, Any] | None = None) -> dict[str, Any]:
        """Curates `name`: other names are other rows, so other versions."""
        claim = claim or self.claim("curate")
        self.answer(claim, curated(name, dataset=claim["spec"]["dataset"]))
        return claim

    def train(self, *, claim: dict[str, Any] | None = None) -> dict[str, Any]:
        claim = claim or self.claim("train")
        spec, adapter = claim["spec"], artifact(f"adapter {claim['job_id']}")
        said = varied(IDENTITY, base={"uri": spec["base_model"]})
        self.answer(claim, trained(model=spec["model"], adapter=adapter, identity=said))
        return claim

    def export(self, *, claim: dict[str, Any] | None = None) -> dict[str, Any]:
        claim = claim or self.claim("export")
        self.answer(claim, exported(UUID(claim["spec"]["model_version"]["id"])))
        return claim
