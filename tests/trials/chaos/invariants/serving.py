"""Gateways: nobody is failed, a canary ends with its lease, units are counted once, feedback is kept once."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlmodel import col, select

from controlplane.store.serving_tables import AppliedRow, GatewayBootRow, GenerationRow, LabelRow, ObservationRow
from tests.trials.chaos.invariants.expected import Cut, Expected, Pause, Request
from tests.trials.chaos.invariants.view import View

WHOLE_SECOND: Final = 1.0
"""A weight holds for whole seconds."""
AWAY: Final = (None, 503)
"""Nobody listens or the connection is cut; it starts, and has no version yet."""
DEADLINE_PASSED: Final = 504
CLOCKS_APART: Final = 0.5
"""Seconds: a gateway's clock follows the database's."""


class News:
    """What came to a round's list of requests since the last time; each round has a list of its own."""

    def __init__(self) -> None:
        self._of: Expected | None = None
        self._read = 0

    def read(self, expected: Expected) -> list[Request]:
        if expected is not self._of:
            self._of, self._read = expected, 0
        requests = list(expected.requests)
        new, self._read = requests[self._read :], len(requests)
        return new


class Users:
    """What users saw: an answer, a gateway that something was done to, and no canary that nobody watches."""

    def __init__(self) -> None:
        self._news = News()

    def judge(self, view: View) -> Iterator[str]:
        for request in self._news.read(view.expected):
            if not (request.status == 200 or _is_excused(request, view.expected)):
                said = "did not answer" if request.status is None else f"answered {request.status} to"
                yield f"user: {request.gateway} {said} a good request"
        for cut in view.expected.cuts:
            yield from _canary_in(cut, list(view.expected.requests))


def _is_excused(request: Request, expected: Expected) -> bool:
    if request.status == DEADLINE_PASSED:
        return _stopped_in(request, expected.pauses)
    return request.status in AWAY and any(
        trouble.gateway == request.gateway and request.asked <= trouble.until and trouble.since <= request.answered
        for trouble in expected.troubles
    )


def _stopped_in(request: Request, pauses: Iterable[Pause]) -> bool:
    """It was in the gateway's hands when that was stopped: its deadline went by, and it is told so."""
    return any(
        pause.gateway == request.gateway and request.asked <= pause.since <= request.answered for pause in pauses
    )


def _canary_in(cut: Cut, requests: list[Request]) -> Iterator[str]:
    """Under a lease that nobody could renew."""
    over = cut.since + cut.lease_seconds + WHOLE_SECOND
    late = [
        request
        for request in requests
        if request.gateway == cut.gateway and request.variant == "canary" and over < request.asked
        if request.answered < cut.until
    ]
    if late:
        seconds = late[0].asked - cut.since
        yield (
            f"user: {cut.gateway} served the canary of rollout {late[0].rollout} {seconds:.0f} s after it was cut off, "
            f"its lease is {cut.lease_seconds:g} s"
        )


class Feedback:
    """Every accepted label is kept once, with the answer that was given."""

    def __init__(self) -> None:
        self._row = 0
        self._kept: dict[str, bool] = {}
        self._answers: Counter[tuple[object, ...]] = Counter()
        self._counted: Counter[tuple[object, ...]] = Counter()

    def judge(self, view: View) -> Iterator[str]:
        rows = view.session.exec(select(LabelRow).where(col(LabelRow.seq) > self._row).order_by(col(LabelRow.seq)))
        for row in rows.all():
            self._row = row.seq or self._row
            self._kept[row.prediction_digest] = row.counted
            answer = (row.deployment, row.generation, row.step, row.arm, row.unit, row.row)
            self._answers[answer] += 1
            if self._answers[answer] > 1 and row.arm:
                yield f"feedback: answer {row.row} of unit {row.unit} has {self._answers[answer]} labels"
            if row.counted:
                unit = (row.rollout_id, row.step, row.unit)
                self._counted[unit] += 1
                if self._counted[unit] > 1:
                    yield f"feedback: unit {row.unit} of rollout {row.rollout_id} counts {self._counted[unit]} times"
        for prediction_id, counted in list(view.expected.feedback.items()):
            digest = hashlib.sha256(prediction_id.encode()).hexdigest()
            if digest not in self._kept:
                yield f"feedback: {prediction_id[:40]}… was accepted and is not kept"
            elif self._kept[digest] != counted:
                yield f"feedback: {prediction_id[:40]}… was answered counted={counted}, it is {self._kept[digest]}"


class Units:
    """A unit is counted at most once, under a generation that exists, at most with the weight that was desired."""

    def __init__(self) -> None:
        self._seen: set[tuple[object, int]] = set()
        self._weights: dict[tuple[str, int], float] = {}
        self._applied = 0

    def judge(self, view: View) -> Iterator[str]:
        for deployment, generation, weight in view.session.exec(
            select(GenerationRow.deployment, GenerationRow.generation, GenerationRow.weight)
        ):
            self._weights[deployment, generation] = weight
        rows = view.session.exec(select(ObservationRow)).all()
        yield from _more_than_were_sent(rows, view.expected.requests)
        for row in rows:
            if (row.boot, row.second) not in self._seen:
                self._seen.add((row.boot, row.second))
                yield from self._observed(row)
        applied_since = view.session.exec(select(AppliedRow).where(col(AppliedRow.seq) > self._applied)).all()
        for applied in sorted(applied_since, key=lambda one: one.seq or 0):
            self._applied = applied.seq or self._applied
            yield from self._at_most(applied.gateway, applied.deployment, applied.generation, applied.applied_weight)
        yield from _boots(view)

    def _observed(self, row: ObservationRow) -> Iterator[str]:
        for entry in row.generations:
            who = f"boot {row.boot} in second {row.second}"
            yield from self._at_most(who, row.deployment, entry["generation"], entry["applied_weight"])
            if entry["applied_weight"] == 0 and entry["canary"]["units"] > 0:
                yield f"units: {who} gave a canary without weight {entry['canary']['units']} units"

    def _at_most(self, who: str, deployment: str, generation: int, weight: float) -> Iterator[str]:
        desired = self._weights.get((deployment, generation), 0.0)
        if weight > desired or ((deployment, generation) not in self._weights and generation > 0):
            yield f"units: {who} applied weight {weight} of generation {generation} of {deployment}: it wants {desired}"


def _more_than_were_sent(rows: Sequence[ObservationRow], requests: Sequence[Request]) -> Iterator[str]:
    """In the whole seconds of one round, all gateways together: each request is one unit, or none."""
    if not requests:
        return
    begin = int(min(request.asked for request in requests)) + 1
    end = max(request.answered for request in requests)
    units = sum(_units(entry) for row in rows if begin <= row.second <= end for entry in row.generations)
    sent = sum(request.answered >= begin - CLOCKS_APART for request in requests)
    if units > sent:
        yield f"units: {units} were counted from second {begin} to {end:.0f}, and {sent} requests were sent"


def _units(entry: Mapping[str, Any]) -> int:
    return int(entry["stable"]["units"] + entry["canary"]["units"] + len(entry.get("sessions", ())))


def _boots(view: View) -> Iterator[str]:
    """At most one life of a gateway goes on at a time."""
    query = select(GatewayBootRow.deployment, GatewayBootRow.gateway).where(col(GatewayBootRow.replaced).is_(False))
    for (deployment, gateway), times in Counter(view.session.exec(query).all()).items():
        if times > 1:
            yield f"gateway {gateway} of {deployment}: {times} of its lives go on at once"
