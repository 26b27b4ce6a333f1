"""The verdict: where every unit is, and what does not agree.

The account. A gateway's journal holds every unit that it admitted. Each is in exactly one place, under its boot, arm and
generation:

- in a second that the control plane has accepted, once, as `ok`, `error` or `abandoned`, whichever its caller saw: read to
  the last piece or left after the first is `ok`, left before the first `abandoned`, told of a failure `error`;
- never ended by a gateway that was killed: told by its next boot as lost, which is an error of its arm, once;
- ended, in a second that a killed gateway had not told yet: lost with its boot, which no other place may hold;
- in a second that came after the fold had passed it: refused, and its units are counted as late.

Every request that a caller saw admitted is such a unit, of the boot, second, generation and arm that its signed end says,
and every unit is a request that a caller sent. One who named a version, or was refused, is none. What the control plane
has folded is the sum of the seconds that it keeps.
"""

from collections import Counter
from dataclasses import dataclass
from typing import get_args

from schemas.serving import Arm
from tests.trials.streams.account import Account
from tests.trials.streams.asked import judge_asked
from tests.trials.streams.counted import Place, judge_book, judge_strangers, open_book
from tests.trials.streams.folded import judge_folded
from tests.trials.streams.seen import Ending


@dataclass(frozen=True)
class Verdict:
    discrepancies: tuple[str, ...]
    units: Counter[tuple[Arm, Place]]
    requests: Counter[Ending]


def judge(account: Account) -> Verdict:
    books = [open_book(boot, account.rows) for boot in account.boots]
    found = [*judge_strangers(account.boots, account.rows)]
    for book in books:
        found += judge_book(book, account.rows)
    found += judge_asked(account.seen, books, account.salts)
    found += judge_folded(account.folds, account.rows)
    units: Counter[tuple[Arm, Place]] = Counter()
    for book in books:
        for unit, place, number in book.places():
            units[unit.arm, place] += number
    return Verdict(tuple(found), units, Counter(one.ending for one in account.seen))


def table(verdict: Verdict) -> str:
    """Units by arm and place, and below it what callers saw."""
    places = get_args(Place)
    lines = [_line("arm", "units", *places)]
    for arm in get_args(Arm):
        numbers = [verdict.units[arm, place] for place in places]
        lines.append(_line(arm, sum(numbers), *numbers))
    numbers = [sum(verdict.units[arm, place] for arm in get_args(Arm)) for place in places]
    lines.append(_line("both", sum(numbers), *numbers))
    saw = ", ".join(f"{verdict.requests[ending]} {ending}" for ending in get_args(Ending))
    return "\n".join([*lines, f"callers saw {sum(verdict.requests.values())} requests: {saw}"])


def _line(name: str, *cells: object) -> str:
    return name.ljust(8) + "".join(str(cell).rjust(11) for cell in cells)
