"""What is asked of tokens."""

from uuid import UUID

from controlplane.client.part import Part
from schemas.roles import Role
from schemas.views.tokens import Caller, NewToken, TokenView


class Tokens(Part):
    def create_token(self, name: str, role: Role) -> NewToken:
        """Its plain text is in this answer only: an answer that was lost is Unreachable, and not asked for twice."""
        body = {"name": name, "role": role}
        return self._api.send(NewToken, "POST", "/v1/tokens", json=body, repeatable=False)

    def caller(self) -> Caller:
        """Whose token this client has, and what it may."""
        return self._api.get(Caller, "/v1/caller")

    def list_tokens(self) -> list[TokenView]:
        return self._api.get(list[TokenView], "/v1/tokens")

    def revoke_token(self, token_id: UUID | str) -> None:
        self._api.ask("DELETE", f"/v1/tokens/{token_id}")
