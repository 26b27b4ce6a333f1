"""Units that nothing tells apart: without a session key, or from while the canary had no weight. Their sums agree."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple, get_args

from schemas.serving import Arm
from tests.trials.streams.counted import Book
from tests.trials.streams.places import PLACES, UNSURE, Place
from tests.trials.streams.seen import Ending, Seen


class Cell(NamedTuple):
    """As a signed end names it."""

    second: int
    generation: int
    arm: Arm


class Sums:
    """One boot's units that are alike, and the requests that they may be."""

    def __init__(self, book: Book, seen: Sequence[Seen]) -> None:
        self.boot = book.boot
        self.placed: Counter[tuple[Arm, Place]] = Counter()
        self.answered: Counter[Cell] = Counter()
        """Units that are ok or late."""
        for unit, place, units in book.places():
            if unit.key_hash is None:
                self.placed[unit.arm, place] += units
                if place in PLACES["finished"]:
                    self.answered[Cell(unit.second, unit.generation, unit.arm)] += units
        asked = [one for one in seen if not one.chosen and one.ending != "refused"]
        self.unsure = Counter(one.ending for one in asked if one.ending in UNSURE)
        self.sure = Counter((one.arm, one.ending) for one in asked if one.ending not in UNSURE)
        self.signed = Counter(Cell(one.claims.t, one.claims.g, one.claims.a) for one in asked if one.claims)

    def admitted(self, arm: Arm) -> int:
        return sum(units for (of, _), units in self.placed.items() if of == arm)

    def asked(self, arm: Arm) -> int:
        return sum(requests for (of, _), requests in self.sure.items() if of == arm)


def judge_alike(sums: Sums) -> Iterator[str]:
    who = f"boot {sums.boot.id} of {sums.boot.gateway}, without a key"
    unsure = sum(sums.unsure.values())
    for arm in get_args(Arm):
        admitted, asked = sums.admitted(arm), sums.asked(arm)
        if admitted < asked:
            yield f"{who}: {admitted} {arm} units, and callers saw {asked} admitted"
        for place in get_args(Place):
            yield from (f"{who}: {text}" for text in _judge_place(sums, arm, place))
    admitted, asked = (sum(map(of, get_args(Arm))) for of in (sums.admitted, sums.asked))
    if admitted > asked + unsure:
        yield f"{who}: {admitted} units, and callers saw {asked} admitted and are unsure of {unsure}"
    for cell, signed in sums.signed.items():
        if sums.answered[cell] < signed:
            yield f"{who}: {signed} finished as is signed for {cell}, and {sums.answered[cell]} are counted so"


def _judge_place(sums: Sums, arm: Arm, place: Place) -> Iterator[str]:
    """It holds no more than those who may be there, and those at least who can be nowhere else."""
    there = sums.placed[arm, place]
    if there > (most := _requests(sums, arm, [one for one, places in PLACES.items() if place in places])):
        yield f"{there} {arm} units are {place}, and callers saw {most} that may be"
    if place == "late":
        return
    only = [ending for ending, places in PLACES.items() if {place} == places - {"late"}]
    if there < (least := sum(sums.sure[arm, ending] for ending in only) - sums.placed[arm, "late"]):
        yield f"{there} {arm} units are {place}, and callers saw {least} that must be"


def _requests(sums: Sums, arm: Arm, endings: Sequence[Ending]) -> int:
    return sum(sums.sure[arm, ending] + sums.unsure[ending] for ending in endings)
