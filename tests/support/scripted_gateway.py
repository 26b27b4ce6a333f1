"""A gateway that a test speaks for: it probes, reports and observes what the test wants."""

import time
from typing import Any
from uuid import UUID, uuid4

from schemas.prediction_id import encode_prediction_id
from schemas.serving import Arm, Generation, PredictionClaims
from tests.support.answers import ok
from tests.support.worlds.in_process import InProcess


class Gateway:
    """Answers probes, reports and observes as a gateway would; traffic and faults are the test's."""

    def __init__(
        self, world: InProcess, name: str = "gateway-1", first_second: int | None = None, clock_behind: int = 0
    ) -> None:
        self._client = world.client("gateway")
        self._labeller = world.client("feedback")
        self.name, self.boot = name, uuid4()
        # ahead of the database's clock, so that labels never wait for it
        self.second = (first_second if first_second is not None else int(time.time()) + 1000) - clock_behind
        self._clock_behind = clock_behind
        self.lease = 0.0
        self._units = 0
        self.register()

    def register(self) -> None:
        body = {
            "boot": str(self.boot),
            "gateway": self.name,
            "deployment": "reviews",
            "first_second": self.second,
            "sent_second": int(time.time()) - self._clock_behind,
        }
        assert self._client.post("/v1/gateway/boots", json=body).status_code == 204

    def restart(self) -> UUID:
        """Another life of the same gateway; answers the boot that is over."""
        over, self.boot = self.boot, uuid4()
        self.register()
        return over

    def generation(self) -> Generation:
        return Generation.model_validate(ok(self._client.get("/v1/deployments/reviews/generation")))

    def report(self, *, ok_: bool = True, detail: str = "") -> None:
        """Everything is loaded, and the probe answered as the test wants."""
        desired = self.generation()
        versions = [v for v in (desired.stable, desired.canary, desired.probe_version) if v]
        body: dict[str, Any] = {
            "boot": str(self.boot),
            "generation": desired.generation,
            "applied_weight": desired.weight if self.lease else 0.0,
            "loaded": [str(version.id) for version in versions] if ok_ else [],
        }
        if desired.probe and desired.probe_version:
            answer = {"probe": str(desired.probe), "version": str(desired.probe_version.id), "ok": ok_}
            body["probed"] = [{**answer, "detail": detail}]
        assert self._client.post("/v1/gateway/reports", json=body).status_code == 204

    def seen(
        self,
        units: int = 0,
        *,
        canary_errors: float = 0.0,
        stable_errors: float = 0.0,
        canary_abandoned: float = 0.0,
        canary_share: float | None = None,
    ) -> dict[str, Any]:
        """One second of traffic under the present generation, split by its weight unless the test says otherwise."""
        desired = self.generation()
        canary = round(units * (desired.weight if canary_share is None else canary_share))
        stable = units - canary
        abandoned = round(canary * canary_abandoned)
        return {
            "generation": desired.generation,
            "applied_weight": desired.weight,
            "stable": {"units": stable, "error": round(stable * stable_errors)},
            "canary": {"units": canary, "error": round(canary * canary_errors), "abandoned": abandoned},
        }

    def observe(self, units: int = 0, **how: Any) -> None:
        """The next second, accepted."""
        answer = ok(self.send(self.second, [self.seen(units, **how)]))
        self.lease = answer["lease_seconds"]
        self.second += 1

    def send(self, second: int, generations: list[dict[str, Any]]) -> Any:
        body = {"boot": str(self.boot), "second": second, "generations": generations}
        return self._client.post("/v1/gateway/observations", json=body)

    def send_lost(self, boot: UUID, seconds: list[tuple[int, dict[str, Any]]]) -> Any:
        return self.send_left(boot, [(second, generation, True) for second, generation in seconds])

    def send_left(self, boot: UUID, seconds: list[tuple[int, dict[str, Any], bool]], *, more: bool = False) -> Any:
        """With whether units of that second never ended."""
        told = [
            {"boot": str(boot), "second": second, "generations": [generation], "unfinished": unfinished}
            for second, generation, unfinished in seconds
        ]
        return self._client.post("/v1/gateway/lost-units", json={"boot": str(boot), "seconds": told, "more": more})

    def prediction(
        self,
        arm: Arm,
        answer: str,
        *,
        unit: str | None = None,
        row: int = 0,
        keyed: bool = False,
        second: int | None = None,
        counted: bool = True,
    ) -> str:
        """A signed id of one answer of the last observed second, counted."""
        desired = self.generation()
        version = desired.canary if arm == "canary" else desired.stable
        assert version is not None
        self._units += 1
        claims = PredictionClaims(
            d=desired.deployment,
            r=desired.rollout_id,
            g=desired.generation,
            s=desired.step,
            v=version.id,
            a=arm,
            u=unit or f"unit-{self._units}",
            i=row,
            c=answer,
            n=counted and desired.rollout_id is not None and desired.weight > 0,
            k=keyed,
            b=self.boot,
            t=self.second - 1 if second is None else second,
        )
        return encode_prediction_id(claims, desired.signing_key)

    def label(self, seconds: int) -> None:
        """So many seconds with a label for each version: the stable one errs in every fifth, the canary always.

        Each second's labels come before the next second does, so a slow machine makes none of them late.
        """
        for number in range(seconds):
            self.observe(40)
            stable, canary = self.prediction("stable", "positive"), self.prediction("canary", "negative")
            assert ok(self.feedback(stable, "positive" if number % 5 else "negative")) == {"counted": True}
            assert ok(self.feedback(canary, "positive")) == {"counted": True}

    def feedback(self, prediction_id: str, label: str) -> Any:
        return self.say(prediction_id, label=label)

    def say(self, prediction_id: str, **said: Any) -> Any:
        """Feedback in its own members."""
        return self._labeller.post("/v1/feedback", json={"prediction_id": prediction_id, **said})
