"""The verdict: where every unit is, and what does not agree.

The account. A gateway's journal holds every unit that it has admitted. Each is in exactly one place, under its boot,
second, generation, weight and arm:

- in a second that the control plane has accepted, once, as what its journal says and its caller saw: read to the last
  piece or left after the first it is `ok`, left before the first `abandoned`, told of a failure `error`. What a gateway
  had not told before it was killed its next boot has told, once, with the same ends;
- `lost`: never ended by a gateway that was killed; its next boot has told of it, once, as an error of its arm;
- `late`: in a second that came after the fold had passed it, refused, and counted as a late unit of its boot.

Every request that a caller saw admitted is such a unit, of the boot, second, generation and arm that its signed end
says; every unit is a request that a caller sent, once. Who named a version, or was refused, is none. What the control
plane has folded is the sum of the seconds that it keeps.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, get_args

from schemas.serving import Arm
from tests.trials.streams.account import Account
from tests.trials.streams.alike import Sums, judge_alike
from tests.trials.streams.counted import Book, judge_book, judge_strangers, open_book
from tests.trials.streams.folded import judge_folded
from tests.trials.streams.keyed import judge_keyed, judge_unfound, match
from tests.trials.streams.places import BROKEN, Place
from tests.trials.streams.seen import Ending, Seen

LEAST_FINISHED: Final = 0.3
"""Of all requests. More than half are to be read to the end; where fewer finish, little was tried."""


@dataclass(frozen=True)
class Verdict:
    discrepancies: tuple[str, ...]
    units: Counter[tuple[Arm, Place]]
    requests: Counter[Ending]


def judge(account: Account) -> Verdict:
    books = [open_book(boot, account.rows) for boot in account.boots]
    units: Counter[tuple[Arm, Place]] = Counter()
    for book in books:
        for unit, place, number in book.places():
            units[unit.arm, place] += number
    return Verdict(tuple(_discrepancies(account, books)), units, Counter(one.ending for one in account.seen))


def judge_enough(requests: Mapping[Ending, int]) -> Iterator[str]:
    """A gateway that admits nobody counts nobody twice."""
    finished, least = requests.get("finished", 0), LEAST_FINISHED * sum(requests.values())
    if finished < least:
        yield f"{finished} requests finished: expected at least {least:.0f} of {sum(requests.values())}"


def _discrepancies(account: Account, books: Sequence[Book]) -> Iterator[str]:
    yield from judge_strangers(account.boots, account.rows)
    for book in books:
        yield from judge_book(book)
        yield from _judge_connections(book, account.seen)
    found, strange = match(account.seen, books, account.salts)
    yield from (f"key {key_hash} is counted, and no caller sent it" for key_hash in strange)
    for one in found:
        yield from judge_keyed(one)
    matched = {one.seen.number for one in found}
    rest = [one for one in account.seen if one.number not in matched]
    for seen in rest:
        yield from judge_unfound(seen)
    for book in books:
        yield from judge_alike(Sums(book, [one for one in rest if one.boot == book.boot.id]))
    yield from judge_folded(account.folds, account.rows)


def _judge_connections(book: Book, seen: Sequence[Seen]) -> Iterator[str]:
    for one in seen:
        if one.boot == book.boot.id and one.ending in BROKEN and not book.boot.killed:
            yield f"request {one.number} was {one.ending} ({one.fault}), and its gateway lives"
        if one.boot == book.boot.id and one.claims is not None and one.claims.b != one.boot:
            yield f"request {one.number} was sent to boot {one.boot} and signed by {one.claims.b}"


def table(verdict: Verdict) -> str:
    """Units by arm and place, and below it what callers saw."""
    arms, places = get_args(Arm), get_args(Place)
    lines = [_line("arm", "units", *places)]
    for name, of in (*((arm, [arm]) for arm in arms), ("both", arms)):
        numbers = [sum(verdict.units[arm, place] for arm in of) for place in places]
        lines.append(_line(name, sum(numbers), *numbers))
    saw = ", ".join(f"{verdict.requests[ending]} {ending}" for ending in get_args(Ending))
    return "\n".join([*lines, f"callers saw {sum(verdict.requests.values())} requests: {saw}"])


def _line(name: str, *cells: object) -> str:
    return name.ljust(8) + "".join(str(cell).rjust(11) for cell in cells)
