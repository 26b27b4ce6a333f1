"""Who labelled the answers of a rollout, and what they said of each version."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from pydantic import JsonValue, TypeAdapter
from sqlmodel import Session, col, func, select

from controlplane.store.serving_tables import LabelRow
from schemas.views.rollouts import LabelledBy

_NONE: Final = dict.fromkeys(("labels", "stable", "stable_wrong", "canary", "canary_wrong"), 0)
LABELLED_BY: Final = TypeAdapter(list[LabelledBy])


def labelled_by(session: Session, rollout_id: UUID) -> list[LabelledBy]:
    """One entry a token, whoever gave the most labels first."""
    one_of = (
        col(LabelRow.actor),
        col(LabelRow.token_id),
        col(LabelRow.arm),
        col(LabelRow.counted),
        col(LabelRow.wrong),
    )
    query = select(*one_of, func.count()).where(LabelRow.rollout_id == rollout_id).group_by(*one_of)  # type: ignore[call-overload]
    given: defaultdict[tuple[str, UUID], Counter[str]] = defaultdict(Counter)
    for actor, token_id, arm, counted, wrong, labels in session.exec(query):
        told = {"labels": labels, arm: labels * counted, f"{arm}_wrong": labels * (counted and wrong)}
        given[actor, token_id].update(told)
    found = [LabelledBy(actor=actor, token_id=token, **_NONE | counts) for (actor, token), counts in given.items()]
    return sorted(found, key=lambda one: (-one.labels, one.actor, str(one.token_id)))


def with_labellers(session: Session, rollout_id: UUID, inputs: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A decision's inputs and who gave the labels behind them: labels are pruned one day, decisions are not."""
    return {**inputs, "labelled_by": LABELLED_BY.dump_python(labelled_by(session, rollout_id), mode="json")}


def describe_labellers(inputs: Mapping[str, JsonValue]) -> list[str]:
    """One line each, as `graftwork why` prints them."""
    return [_in_words(one) for one in LABELLED_BY.validate_python(inputs["labelled_by"])]


def _in_words(one: LabelledBy) -> str:
    return (
        f"labelled by {one.actor} (token {one.token_id}): {one.labels} labels; {one.stable} of the stable version "
        f"count ({one.stable_wrong} wrong), {one.canary} of the canary ({one.canary_wrong} wrong)"
    )
