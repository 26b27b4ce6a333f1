"""Requests with a session key of their own: each is looked for by the key's hash, and is in one place at most."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tests.trials.streams.counted import Book, Unit
from tests.trials.streams.places import PLACES, Place
from tests.trials.streams.seen import Seen
from workers.serve.rollout.draw import hash_key


@dataclass(frozen=True)
class Found:
    """One place of one key."""

    boot: UUID
    unit: Unit
    place: Place
    times: int


@dataclass(frozen=True)
class Matched:
    """A request, and every place in which its key was found."""

    seen: Seen
    places: Sequence[Found]


def match(seen: Sequence[Seen], books: Sequence[Book], salts: Mapping[int, str]) -> tuple[list[Matched], list[str]]:
    """Those that were found, under whichever generation, and the hashes of keys that no caller sent."""
    askers = {hash_key(salt, one.key): one for salt in {*salts.values()} for one in seen if one.key is not None}
    found: defaultdict[int, list[Found]] = defaultdict(list)
    strange: set[str] = set()
    for book in books:
        for unit, place, times in book.places():
            if unit.key_hash in askers:
                found[askers[unit.key_hash].number].append(Found(book.boot.id, unit, place, times))
            elif unit.key_hash is not None:
                strange.add(unit.key_hash)
    return [Matched(one, found[one.number]) for one in seen if one.number in found], sorted(strange)


def judge_keyed(matched: Matched) -> Iterator[str]:
    seen, places = matched.seen, matched.places
    if (times := sum(one.times for one in places)) > 1:
        yield f"{_name(seen)} is counted {times} times: {', '.join(one.place for one in places)}"
    for one in places:
        yield from _judge_place(seen, one)


def judge_unfound(seen: Seen) -> Iterator[str]:
    """Its signed end says whether it was counted by its key; without one it may have come while there was no canary."""
    if seen.claims is not None and seen.claims.k:
        yield f"{_name(seen)} is signed as the unit of its key, which is counted nowhere"


def _judge_place(seen: Seen, found: Found) -> Iterator[str]:
    if found.boot != seen.boot:
        yield f"{_name(seen)} was sent to boot {seen.boot} and is counted by {found.boot}"
    if seen.chosen:
        yield f"{_name(seen)} named its version and is counted as {found.place}"
    elif found.place not in PLACES[seen.ending]:
        yield f"{_name(seen)} is counted as {found.place}"
    if seen.arm not in (None, found.unit.arm):
        yield f"{_name(seen)} was answered by {seen.arm} and is counted for {found.unit.arm}"
    if (claims := seen.claims) is not None:
        signed = (claims.t, claims.g, claims.a)
        counted = (found.unit.second, found.unit.generation, found.unit.arm)
        if signed != counted:
            yield f"{_name(seen)} is signed for {signed} and counted for {counted}: second, generation, arm"


def _name(seen: Seen) -> str:
    return f"request {seen.number} ({seen.ending})"
