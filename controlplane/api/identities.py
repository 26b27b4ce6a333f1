"""Ids in paths, whole or by their beginning: `GET /v1/jobs/3f2a`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Request

from controlplane.projections.identities import as_uuid, identify
from controlplane.store.serving_tables import DecisionRow, RolloutRow
from controlplane.store.spine_tables import DeadLetterRow, TokenRow
from controlplane.store.tables import JobRow, PipelineRunRow


def _in_the_path(name: str, row: Any, what: str) -> Any:
    """A parameter of the path. Routes name it after who calls: a stranger learns nothing of which ids there are."""

    def dependency(
        request: Request,
        text: Annotated[str, Path(alias=name, max_length=36, description=f"The {what}'s id, or its beginning.")],
    ) -> UUID:
        if whole := as_uuid(text):
            return whole
        with request.app.state.site.database.read() as session:
            return identify(session, row, what, text)

    return Depends(dependency)


JobId = Annotated[UUID, _in_the_path("job_id", JobRow, "job")]
RunId = Annotated[UUID, _in_the_path("run_id", PipelineRunRow, "pipeline run")]
RolloutId = Annotated[UUID, _in_the_path("rollout_id", RolloutRow, "rollout")]
DecisionId = Annotated[UUID, _in_the_path("decision_id", DecisionRow, "decision")]
LetterId = Annotated[UUID, _in_the_path("letter_id", DeadLetterRow, "dead letter")]
TokenId = Annotated[UUID, _in_the_path("token_id", TokenRow, "token")]
