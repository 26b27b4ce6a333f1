"""A worker that a test speaks for: it claims, and answers what the test wants it to have made."""

from typing import Any
from uuid import UUID, uuid4

from tests.support.releases import Site, artifact, export, ok

OWNER = "test-worker"


class Worker:
    def __init__(self, site: Site) -> None:
        self._client = site.client("admin")

    def claim(self, *kinds: str) -> dict[str, Any]:
        """The oldest job of those kinds; the test fails when there is none."""
        body = {"kinds": list(kinds), "claim_id": str(uuid4()), "owner": OWNER}
        claim = ok(self._client.post("/v1/jobs:claim", json=body))["claim"]
        assert claim is not None, f"no job of {kinds}"
        return claim  # type: ignore[no-any-return]

    def idle(self, *kinds: str) -> bool:
        body = {"kinds": list(kinds), "claim_id": str(uuid4()), "owner": OWNER}
        return ok(self._client.post("/v1/jobs:claim", json=body))["claim"] is None

    def complete(self, claim: dict[str, Any], **result: Any) -> dict[str, Any]:
        body = {"attempt": claim["attempt"], "owner": OWNER, "result": {"kind": claim["kind"], **result}}
        return ok(self._client.post(f"/v1/jobs/{claim['job_id']}:complete", json=body))

    def fail(self, claim: dict[str, Any], reason: str) -> None:
        body = {"attempt": claim["attempt"], "owner": OWNER, "reason": reason, "retryable": False}
        ok(self._client.post(f"/v1/jobs/{claim['job_id']}:fail", json=body))

    def curate(self, name: str = "rows", *, claim: dict[str, Any] | None = None) -> dict[str, Any]:
        """Curates `name`: other names are other rows, so other versions."""
        claim = claim or self.claim("curate")
        self.complete(
            claim,
            dataset=claim["spec"]["dataset"],
            manifest=artifact(f"manifest {name}").model_dump(),
            digest=artifact(name).digest,
            rows={"train": 80, "test": 20},
            split_digests={"train": artifact(f"train {name}").digest, "test": artifact(f"test {name}").digest},
            rejected={},
        )
        return claim

    def train(self, *, claim: dict[str, Any] | None = None) -> dict[str, Any]:
        claim = claim or self.claim("train")
        self.complete(
            claim,
            model=claim["spec"]["model"],
            adapter=artifact(f"adapter {claim['job_id']}").model_dump(),
            base_model=claim["spec"]["base_model"],
            base_digest=artifact("base").digest,
            feature_recipe="mid-last-mean-v1",
            target_modules=["query", "value"],
            r=claim["spec"]["lora"]["r"],
            head_digest=artifact("head").digest,
            labels=["negative", "positive"],
            max_length=64,
            rows=80,
            steps=5,
        )
        return claim

    def export(self, *, claim: dict[str, Any] | None = None) -> dict[str, Any]:
        claim = claim or self.claim("export")
        result = export(UUID(claim["spec"]["model_version"]["id"]), 1e-5)
        self.complete(claim, **result.model_dump(mode="json", exclude={"kind"}))
        return claim
