"""What those ask for who watch over others: facts, histories, the audit log, holds, tokens and dead letters."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from controlplane.client.connection import ApiError, Connection
from schemas.events import AuditRecorded
from schemas.roles import Role
from schemas.views.audit import AuditEntry
from schemas.views.dead_letters import DeadLetterContent, DeadLetterView
from schemas.views.deployments import DeploymentView
from schemas.views.events import FeedPage
from schemas.views.revisions import RevisionView
from schemas.views.rollouts import RolloutView
from schemas.views.tokens import NewToken, TokenView


class Governance:
    """A part of the client."""

    def __init__(self, api: Connection) -> None:
        self._api = api

    def read_events(self, after: int | None = None, *, types: list[str] | None = None, wait: float = 0) -> FeedPage:
        params = {"after": after, "type": types or None, "wait": wait}
        return self._api.get(FeedPage, "/v1/events", {k: v for k, v in params.items() if v is not None}, patience=wait)

    def hold_rollout(self, rollout_id: UUID | str, reason: str) -> RolloutView:
        """It is not promoted and gets no more weight until somebody else releases it."""
        return self._api.post(RolloutView, f"/v1/rollouts/{rollout_id}:hold", {"reason": reason})

    def release_rollout_hold(
        self, rollout_id: UUID | str, reason: str, *, hold: UUID | str | None = None
    ) -> RolloutView:
        """`hold` says which one, where several stand."""
        body = {"reason": reason, "hold": hold}
        return self._api.post(RolloutView, f"/v1/rollouts/{rollout_id}:release-hold", body)

    def hold_deployment(self, name: str, reason: str) -> DeploymentView:
        """All its rollouts, those that start later too."""
        return self._api.post(DeploymentView, f"/v1/deployments/{name}:hold", {"reason": reason})

    def release_deployment_hold(self, name: str, reason: str, *, hold: UUID | str | None = None) -> DeploymentView:
        body = {"reason": reason, "hold": hold}
        return self._api.post(DeploymentView, f"/v1/deployments/{name}:release-hold", body)

    def list_dead_letters(self, **filters: Any) -> Iterator[DeadLetterView]:
        """Newest first; filters: status."""
        return self._api.pages(DeadLetterView, "/v1/dead-letters", filters)

    def get_dead_letter(self, letter_id: UUID | str) -> DeadLetterContent:
        return self._api.get(DeadLetterContent, f"/v1/dead-letters/{letter_id}")

    def replay_dead_letter(self, letter_id: UUID | str) -> DeadLetterView:
        return self._api.post(DeadLetterView, f"/v1/dead-letters/{letter_id}:replay")

    def discard_dead_letter(self, letter_id: UUID | str) -> DeadLetterView:
        return self._api.post(DeadLetterView, f"/v1/dead-letters/{letter_id}:discard")

    def deployment_history(self, name: str) -> Iterator[RevisionView]:
        """Newest first: who changed the policy, what of it, and why."""
        return self._api.pages(RevisionView, f"/v1/deployments/{name}/history")

    def pipeline_history(self, name: str) -> Iterator[RevisionView]:
        return self._api.pages(RevisionView, f"/v1/pipelines/{name}/history")

    def trigger_history(self, name: str) -> Iterator[RevisionView]:
        return self._api.pages(RevisionView, f"/v1/triggers/{name}/history")

    def create_token(self, name: str, role: Role) -> NewToken:
        """Its plain text is in this answer only: an answer that was lost is Unreachable, and not asked for twice."""
        body = {"name": name, "role": role}
        return self._api.send(NewToken, "POST", "/v1/tokens", json=body, repeatable=False)

    def list_tokens(self) -> list[TokenView]:
        return self._api.get(list[TokenView], "/v1/tokens")

    def revoke_token(self, token_id: UUID | str) -> None:
        self._api.ask("DELETE", f"/v1/tokens/{token_id}")

    def list_audit_entries(self, **filters: Any) -> Iterator[AuditEntry]:
        """Newest first; filters: actor, action, subject, outcome, since, until, and `order="oldest"`."""
        return self._api.pages(AuditEntry, "/v1/audit", filters)

    def get_audit_entry(self, entry: UUID | int | str) -> AuditEntry:
        """By its id or its seq."""
        return self._api.get(AuditEntry, f"/v1/audit/{entry}")

    def told_audit_digests(self) -> dict[int, str]:
        """What the event log still tells of the audit log: the digest of each entry by its seq."""
        told: dict[int, str] = {}
        after: int | None = self._oldest_fact()
        while after is not None:
            page = self.read_events(after, types=[AuditRecorded.TYPE])
            facts = [AuditRecorded.model_validate(item.data) for item in page.items]
            told |= {fact.seq: fact.digest for fact in facts}
            after = page.last if page.items else None
        return told

    def _oldest_fact(self) -> int:
        try:
            self.read_events(0, types=[AuditRecorded.TYPE])
        except ApiError as error:
            if error.code != 410 or (oldest := re.search(r"up to seq (\d+)", error.detail)) is None:
                raise
            return int(oldest[1])
        return 0
