"""Feedback: a label for one answer, or a reference, accepted once per prediction id; no text is kept."""

import hashlib
from math import floor
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from controlplane.commands.serving.observations import OBSERVED_PHASES
from controlplane.commands.spine.tokens import Principal
from controlplane.domain.feedback import is_wrong
from controlplane.errors import Conflict, Invalid
from controlplane.store.insert import insert_once
from controlplane.store.serving_tables import DeploymentRow, GatewayBootRow, LabelRow, RolloutRow
from controlplane.store.tables import ModelVersionRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.prediction_id import InvalidPredictionId, verify_prediction_id
from schemas.serving import FeedbackRequest, PredictionClaims


def take_feedback(uow: UnitOfWork, feedback: FeedbackRequest, giver: Principal) -> bool:
    """Whether the label counts. A repeat gets the answer of the first one.

    Raises Invalid for an id that we did not sign and for what cannot be said of that answer, Conflict for another label
    than the one that is kept.
    """
    claims = _claims(uow, feedback.prediction_id)
    wrong = _is_wrong(uow, claims, feedback)
    second, stored_second = _seconds(uow, claims)
    digest = hashlib.sha256(feedback.prediction_id.encode()).hexdigest()
    row = LabelRow(
        prediction_digest=digest,
        deployment=claims.d,
        rollout_id=claims.r,
        generation=claims.g,
        step=claims.s,
        model_version_id=claims.v,
        arm=claims.a,
        unit=claims.u,
        keyed=claims.k,
        row=claims.i,
        second=second,
        stored_second=stored_second,
        wrong=wrong,
        counted=_counts(uow, claims),
        actor=giver.name,
        token_id=giver.id,
        at=uow.now(),
    )
    if insert_once(uow, row):
        return row.counted
    if (kept := _kept(uow, digest)) is not None:
        return _answer_again(kept, wrong)
    row.counted = False  # another row of this unit has its label already: a unit counts once
    if insert_once(uow, row):
        return False
    kept = _kept(uow, digest)
    assert kept is not None
    return _answer_again(kept, wrong)


def _claims(uow: UnitOfWork, prediction_id: str) -> PredictionClaims:
    def key_of(deployment: str) -> str | None:
        row = uow.session.get(DeploymentRow, deployment)
        return row.signing_key if row else None

    try:
        return verify_prediction_id(prediction_id, key_of)
    except InvalidPredictionId as error:
        raise Invalid(f"not a prediction id of ours: {error}", field="prediction_id") from error


def _seconds(uow: UnitOfWork, claims: PredictionClaims) -> tuple[int, int]:
    """When the unit arrived and when its label came, both in the gateway's clock, as its observations have it.

    How far that clock has come is known from its last observation: what is wrong with it is wrong with both.
    """
    boot, now = uow.session.get(GatewayBootRow, claims.b, populate_existing=True), uow.now()
    if boot is None:
        return claims.t, max(claims.t, floor(now.timestamp()))
    second = claims.t + boot.clock_offset
    shown = boot.watermark + floor((now - boot.watermark_at).total_seconds())
    return second, max(second, shown)


def _is_wrong(uow: UnitOfWork, claims: PredictionClaims, feedback: FeedbackRequest) -> bool:
    """A label that one version of a rollout knows is one for both: who cannot say it is wrong."""
    tasks = _tasks(uow, claims)
    labels = {label for task in tasks for label in task.get("labels", ())}
    return is_wrong(tasks[0]["type"], feedback, claims.c, labels)


def _tasks(uow: UnitOfWork, claims: PredictionClaims) -> list[dict[str, Any]]:
    """That of the version that answered, then those of both versions of the rollout in which it answered."""
    versions: list[UUID | None] = [claims.v]
    if claims.r is not None and (rollout := uow.session.get(RolloutRow, claims.r)) is not None:
        versions += [rollout.model_version_id, rollout.previous]
    found = (uow.session.get_one(ModelVersionRow, version) for version in versions if version is not None)
    return [row.identity["task"] for row in found]


def _counts(uow: UnitOfWork, claims: PredictionClaims) -> bool:
    if not claims.n or claims.r is None:
        return False
    # locked against the fold: a label that says "counted" is stored before the verdict
    query = select(RolloutRow.phase).where(RolloutRow.id == claims.r).with_for_update(read=True)
    return uow.session.exec(query).first() in OBSERVED_PHASES


def _kept(uow: UnitOfWork, digest: str) -> LabelRow | None:
    return uow.session.exec(select(LabelRow).where(col(LabelRow.prediction_digest) == digest)).first()


def _answer_again(kept: LabelRow, wrong: bool) -> bool:
    if kept.wrong != wrong:
        raise Conflict("this prediction has another label already; a label is accepted once", field="label")
    return kept.counted
