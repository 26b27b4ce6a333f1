"""What is asked of rollouts and their decisions."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from controlplane.client.connection import until
from controlplane.client.part import Part
from schemas.phases import FINAL_ROLLOUT_PHASES
from schemas.views.rollouts import DecisionDetail, DecisionView, EvidenceView, RolloutDetail, RolloutView


class Rollouts(Part):
    def start_rollout(
        self, deployment: str, version: str, *, reason: str, waive_gates: str | None = None
    ) -> RolloutView:
        body = {"deployment": deployment, "model_version": version, "reason": reason, "waive_gates": waive_gates}
        return self._api.post(RolloutView, "/v1/rollouts", body)

    def list_rollouts(self, **filters: Any) -> Iterator[RolloutView]:
        """Newest first; filters: deployment, phase."""
        return self._api.pages(RolloutView, "/v1/rollouts", filters)

    def get_rollout(self, rollout_id: UUID | str) -> RolloutDetail:
        return self._api.get(RolloutDetail, f"/v1/rollouts/{rollout_id}")

    def get_evidence(self, rollout_id: UUID | str) -> EvidenceView:
        """A curve a metric: how the evidence for HARM and for SAFE grew."""
        return self._api.get(EvidenceView, f"/v1/rollouts/{rollout_id}/evidence")

    def act_on_rollout(
        self, rollout_id: UUID | str, verb: str, reason: str, *, revision: int | None = None
    ) -> RolloutView:
        """`pause`, `resume`, `promote` or `abort`; with `revision`, refused when it has changed since."""
        body = {"reason": reason, "revision": revision}
        return self._api.post(RolloutView, f"/v1/rollouts/{rollout_id}:{verb}", body)

    def hold_rollout(self, rollout_id: UUID | str, reason: str) -> RolloutView:
        """It is not promoted and gets no more weight until somebody else releases it."""
        return self._api.post(RolloutView, f"/v1/rollouts/{rollout_id}:hold", {"reason": reason})

    def release_rollout_hold(
        self, rollout_id: UUID | str, reason: str, *, hold: UUID | str | None = None
    ) -> RolloutView:
        """`hold` says which one, where several stand."""
        body = {"reason": reason, "hold": hold}
        return self._api.post(RolloutView, f"/v1/rollouts/{rollout_id}:release-hold", body)

    def wait_for_rollout(
        self, rollout_id: UUID | str, *, seconds: float = 3600, seen: Callable[[RolloutDetail], None] | None = None
    ) -> RolloutDetail:
        return until(lambda: self.get_rollout(rollout_id), FINAL_ROLLOUT_PHASES, seconds, seen)

    def list_decisions(self, rollout_id: UUID | str) -> list[DecisionView]:
        return self._api.get(list[DecisionView], f"/v1/rollouts/{rollout_id}/decisions")

    def why(self, decision_id: UUID | str) -> DecisionDetail:
        return self._api.get(DecisionDetail, f"/v1/decisions/{decision_id}")
