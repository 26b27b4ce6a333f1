"""The callers' account against the gateways': who asked is counted as what he saw, and nobody else is counted.

A request with a session key is looked for by the key's hash, and has exactly one place. Requests without one, and those
with one that came while the canary had no weight, are alike: they are compared as sums of each boot and arm.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, get_args
from uuid import UUID

from schemas.serving import Arm
from tests.trials.streams.counted import Book, Place, Unit
from tests.trials.streams.seen import Ending, Seen
from workers.serve.rollout.draw import hash_key

BY_KILL: Final[frozenset[Place]] = frozenset({"untold", "late"})
"""Also where a finished one may be: its gateway fell before it had told that second, or told it when it was too late."""
PLACES: Final[Mapping[Ending, frozenset[Place]]] = {
    "finished": frozenset({"ok"}) | BY_KILL,
    "failed": frozenset({"error"}) | BY_KILL,
    "hung up": frozenset({"ok", "lost"}) | BY_KILL,
    "left": frozenset({"ok", "abandoned", "lost"}) | BY_KILL,
    "cut": frozenset({"ok", "lost"}) | BY_KILL,
    "gone": frozenset({"ok", "lost"}) | BY_KILL,
    "refused": frozenset(),
}
"""Where a request may be found that a caller saw end so. One who left before the first piece may have been too late: it was
there. One whose gateway was killed before it noticed that he had hung up is lost with it."""
MAY_BE_UNKNOWN: Final = frozenset({"left", "gone"})
"""Without a head, whether the gateway has admitted it is not known to the caller."""
BROKEN: Final = frozenset({"cut", "gone"})


def judge_asked(seen: Sequence[Seen], books: Sequence[Book], salts: Mapping[int, str]) -> Iterator[str]:
    """Every request in its place, every unit a request's."""
    by_boot = {book.boot.id: book for book in books}
    keyed = _by_hash(seen, salts)
    found = _find_keyed(books)
    for one in seen:
        if one.ending in BROKEN and not by_boot[one.boot].boot.killed:
            yield f"request {one.number} was {one.ending}, and boot {one.boot} lives"
    matched: set[int] = set()
    for key_hash, places in found.items():
        asker = keyed.get(key_hash)
        if asker is None:
            yield f"key {key_hash} is counted, and no caller sent it"
            continue
        matched.add(asker.number)
        yield from _judge_keyed(asker, places)
    for one in seen:
        if one.claims is not None and one.claims.b != one.boot:
            yield f"request {one.number} was sent to boot {one.boot} and signed by {one.claims.b}"
        if one.claims is not None and one.claims.k and one.number not in matched:
            yield f"request {one.number} finished and is counted nowhere: its key is in no account"
    rest = [one for one in seen if one.number not in matched]
    for book in books:
        yield from _judge_alike(book, [one for one in rest if one.boot == book.boot.id])


@dataclass(frozen=True)
class _Found:
    boot: UUID
    unit: Unit
    place: Place
    times: int


def _find_keyed(books: Sequence[Book]) -> Mapping[str, list[_Found]]:
    found: defaultdict[str, list[_Found]] = defaultdict(list)
    for book in books:
        for unit, place, times in book.places():
            if unit.key_hash is not None:
                found[unit.key_hash].append(_Found(book.boot.id, unit, place, times))
    return found


def _by_hash(seen: Sequence[Seen], salts: Mapping[int, str]) -> dict[str, Seen]:
    different = set(salts.values())
    return {hash_key(salt, one.key): one for one in seen if one.key is not None for salt in different}


def _judge_keyed(asker: Seen, places: Sequence[_Found]) -> Iterator[str]:
    who = f"request {asker.number}, which {_saw(asker)},"
    if (times := sum(one.times for one in places)) > 1:
        yield f"{who} is counted {times} times: {', '.join(one.place for one in places)}"
    for one in places:
        if one.boot != asker.boot:
            yield f"{who} was sent to boot {asker.boot} and is counted by {one.boot}"
        if asker.chosen:
            yield f"{who} named its version and is counted as {one.place}"
        elif one.place not in PLACES[asker.ending]:
            yield f"{who} is counted as {one.place}"
        if asker.arm not in (None, one.unit.arm):
            yield f"{who} was answered by {asker.arm} and is counted for {one.unit.arm}"
        if (claims := asker.claims) is not None:
            signed = Unit(claims.t, claims.g, one.unit.weight, claims.a, one.unit.key_hash)
            if signed != one.unit:
                yield f"{who} is signed for {signed} and counted for {one.unit}"


def _saw(one: Seen) -> str:
    return {"hung up": "hung up", "left": "left", "finished": "finished", "failed": "failed"}.get(
        one.ending, f"was {one.ending}"
    )


# --- units that are alike -----------------------------------------------------------------------------------------------


@dataclass
class _Sums:
    """One boot's requests and units without a key, by arm."""

    certain: Counter[tuple[Arm, Ending]] = field(default_factory=Counter)
    perhaps: Counter[Ending] = field(default_factory=Counter)
    """Admitted or not, by whichever arm."""
    placed: Counter[tuple[Arm, Place]] = field(default_factory=Counter)
    finished: Counter[Unit] = field(default_factory=Counter)
    ok: Counter[Unit] = field(default_factory=Counter)


def _judge_alike(book: Book, seen: Sequence[Seen]) -> Iterator[str]:
    sums = _sum(book, seen)
    who = f"boot {book.boot.id} of {book.boot.gateway}"
    perhaps = sum(sums.perhaps.values())
    spare = perhaps
    for arm in get_args(Arm):
        asked = sum(n for (of, _), n in sums.certain.items() if of == arm)
        admitted = sum(n for (of, _), n in sums.placed.items() if of == arm)
        spare -= admitted - asked
        if not asked <= admitted <= asked + perhaps:
            yield f"{who}: {admitted} {arm} units without a key, and callers saw {asked} admitted, {perhaps} perhaps"
        yield from (f"{who}: {text}" for text in _judge_ends(sums, arm))
    if spare < 0:
        yield f"{who}: {-spare} units without a key more than callers sent"
    for unit, finished in sums.finished.items():
        if unit.second <= book.boot.watermark and sums.ok[unit] + _late(book, unit) < finished:
            yield f"{who}: {finished} finished as {unit}, and {sums.ok[unit]} are counted as ok"


def _sum(book: Book, seen: Sequence[Seen]) -> _Sums:
    sums = _Sums()
    weights = {(unit.second, unit.generation): unit.weight for unit, _, _ in book.places()}
    for one in seen:
        if one.chosen or one.ending == "refused":
            continue
        if one.ending in MAY_BE_UNKNOWN or one.arm is None:
            sums.perhaps[one.ending] += 1
        else:
            sums.certain[one.arm, one.ending] += 1
        if (claims := one.claims) is not None:
            weight = weights.get((claims.t, claims.g), 0.0)
            sums.finished[Unit(claims.t, claims.g, weight, claims.a)] += 1
    for unit, place, units in book.places():
        if unit.key_hash is None:
            sums.placed[unit.arm, place] += units
            sums.ok[unit] += units if place == "ok" else 0
    return sums


def _judge_ends(sums: _Sums, arm: Arm) -> Iterator[str]:
    """A place holds no more than those who may be there, and at least those who can be nowhere else."""
    for place in get_args(Place):
        may = [ending for ending, places in PLACES.items() if place in places]
        must = [ending for ending, places in PLACES.items() if places <= {place, *BY_KILL} and places]
        there = sums.placed[arm, place]
        most = sum(sums.certain[arm, ending] + sums.perhaps[ending] for ending in may)
        least = sum(sums.certain[arm, ending] for ending in must) - sum(sums.placed[arm, by] for by in BY_KILL)
        if there > most:
            yield f"{there} {arm} units without a key are counted as {place}, and callers saw {most} that may be"
        if place not in BY_KILL and there < least:
            yield f"{there} {arm} units without a key are counted as {place}, and callers saw {least} that must be"


def _late(book: Book, unit: Unit) -> int:
    return book.unaccepted.get((unit, "late"), 0)
