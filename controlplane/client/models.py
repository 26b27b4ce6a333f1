"""What is asked of models, their versions and aliases."""

from collections.abc import Iterator
from uuid import UUID

from controlplane.client.part import Part
from schemas.views.aliases import Move
from schemas.views.models import ModelView, VersionDetail, VersionView


class Models(Part):
    def list_models(self) -> Iterator[ModelView]:
        return self._api.pages(ModelView, "/v1/models")

    def get_model(self, name: str) -> ModelView:
        return self._api.get(ModelView, f"/v1/models/{name}")

    def list_model_versions(self, name: str) -> Iterator[VersionView]:
        return self._api.pages(VersionView, f"/v1/models/{name}/versions")

    def get_model_version(self, reference: UUID | str) -> VersionDetail:
        """By id, `sentiment/7` or `sentiment@champion`."""
        return self._api.get(VersionDetail, f"/v1/model-versions/{reference}")

    def get_alias(self, model: str, alias: str) -> Move:
        """The move that made it point where it points; its id is the ETag."""
        return self._api.get(Move, f"/v1/models/{model}/aliases/{alias}")

    def set_alias(self, model: str, alias: str, version: str, *, reason: str, expected: UUID | None) -> Move:
        """Compare-and-swap: `expected` is the id of the move that you saw, None when the alias must not exist yet."""
        condition = {"If-Match": f'"{expected}"'} if expected else {"If-None-Match": "*"}
        body = {"model_version": version, "reason": reason}
        return self._api.send(Move, "PUT", f"/v1/models/{model}/aliases/{alias}", json=body, headers=condition)

    def remove_alias(self, model: str, alias: str, *, reason: str, expected: UUID) -> None:
        path = f"/v1/models/{model}/aliases/{alias}"
        self._api.ask("DELETE", path, params={"reason": reason}, headers={"If-Match": f'"{expected}"'})

    def alias_history(self, model: str, alias: str) -> Iterator[Move]:
        return self._api.pages(Move, f"/v1/models/{model}/aliases/{alias}/history")
