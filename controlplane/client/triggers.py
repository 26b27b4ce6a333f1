"""What is asked of triggers."""

from collections.abc import Iterator
from typing import Any

from controlplane.client.connection import Document
from controlplane.client.part import Part
from schemas.views.revisions import RevisionView
from schemas.views.triggers import EvaluationView, TriggerView


class Triggers(Part):
    def put_trigger(self, spec: Document, reason: str | None = None) -> TriggerView:
        return self._api.send(TriggerView, "PUT", f"/v1/triggers/{spec['name']}", json=spec, params={"reason": reason})

    def list_triggers(self) -> Iterator[TriggerView]:
        return self._api.pages(TriggerView, "/v1/triggers")

    def get_trigger(self, name: str) -> TriggerView:
        return self._api.get(TriggerView, f"/v1/triggers/{name}")

    def trigger_history(self, name: str) -> Iterator[RevisionView]:
        return self._api.pages(RevisionView, f"/v1/triggers/{name}/history")

    def delete_trigger(self, name: str, reason: str | None = None) -> None:
        self._api.ask("DELETE", f"/v1/triggers/{name}", params={"reason": reason})

    def list_evaluations(self, **filters: Any) -> Iterator[EvaluationView]:
        """Why a trigger fired or did not; filters: trigger, event, outcome."""
        return self._api.pages(EvaluationView, "/v1/trigger-evaluations", filters)
