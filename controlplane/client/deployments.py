"""What is asked of deployments, their gateways and rollbacks."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from controlplane.client.connection import Document
from controlplane.client.part import Part
from schemas.serving import FeedbackAnswer
from schemas.views.deployments import DeploymentView, GatewayView, RollbackView, ServedView
from schemas.views.fleet import FleetRow
from schemas.views.pages import Page
from schemas.views.revisions import RevisionView


class Deployments(Part):
    def put_deployment(self, name: str, spec: Document, reason: str | None = None) -> DeploymentView:
        return self._api.send(DeploymentView, "PUT", f"/v1/deployments/{name}", json=spec, params={"reason": reason})

    def list_deployments(self) -> Iterator[DeploymentView]:
        return self._api.pages(DeploymentView, "/v1/deployments")

    def list_fleet(self, **filters: Any) -> Iterator[FleetRow]:
        """Every deployment in a line, by name; filters: under_way."""
        return self._api.pages(FleetRow, "/v1/fleet", filters)

    def fleet_page(self, *, under_way: bool = False, limit: int = 50, cursor: str | None = None) -> Page[FleetRow]:
        """A page of it, for whoever turns pages; `next` of one is the `cursor` of the next."""
        params = {"under_way": under_way or None, "limit": limit, "cursor": cursor}
        return self._api.get(Page[FleetRow], "/v1/fleet", params)

    def get_deployment(self, name: str) -> DeploymentView:
        return self._api.get(DeploymentView, f"/v1/deployments/{name}")

    def deployment_history(self, name: str) -> Iterator[RevisionView]:
        """Newest first: who changed the policy, what of it, and why."""
        return self._api.pages(RevisionView, f"/v1/deployments/{name}/history")

    def list_gateways(self, name: str) -> list[GatewayView]:
        return self._api.get(list[GatewayView], f"/v1/deployments/{name}/gateways")

    def served(self, name: str, at: str | None = None) -> ServedView:
        """What served at a time (RFC 3339; None: now)."""
        return self._api.get(ServedView, f"/v1/deployments/{name}/served", {"at": at} if at else None)

    def rollback(self, name: str, reason: str, *, target: str | None = None, force: bool = False) -> RollbackView:
        body = {"reason": reason, "target": target, "force": force}
        return self._api.post(RollbackView, f"/v1/deployments/{name}:rollback", body)

    def list_rollbacks(self, name: str) -> list[RollbackView]:
        return self._api.get(list[RollbackView], f"/v1/deployments/{name}/rollbacks")

    def resume_deployment(self, name: str) -> DeploymentView:
        return self._api.post(DeploymentView, f"/v1/deployments/{name}:resume")

    def hold_deployment(self, name: str, reason: str) -> DeploymentView:
        """All its rollouts, those that start later too."""
        return self._api.post(DeploymentView, f"/v1/deployments/{name}:hold", {"reason": reason})

    def release_deployment_hold(self, name: str, reason: str, *, hold: UUID | str | None = None) -> DeploymentView:
        body = {"reason": reason, "hold": hold}
        return self._api.post(DeploymentView, f"/v1/deployments/{name}:release-hold", body)

    def give_feedback(
        self, prediction_id: str, label: str | None = None, *, reference: str | None = None
    ) -> FeedbackAnswer:
        """The true label of one answer of a gateway; of a generated text `good` or `bad`, or the text that is right."""
        said = {"label": label, "reference": reference}
        given = {name: value for name, value in said.items() if value is not None}
        return self._api.post(FeedbackAnswer, "/v1/feedback", {"prediction_id": prediction_id, **given})
