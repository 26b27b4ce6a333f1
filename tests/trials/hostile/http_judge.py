"""What must hold of all that was sent and answered over HTTP; also that something was, and that somebody got in."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from tests.trials.hostile.http_tally import Tally, counted
from tests.trials.hostile.outcome import Outcome

REACHED_SHARE, SHORT, SHORT_SHARE = 0.5, 1_000, 0.25
"""The share of the operations behind a token that answer an admin with success, at least, and the lower share where
fewer than `SHORT` cases were asked for: a server that refuses everybody teaches nothing. Runs of 10,000 cases reached
49 of 68, of 1,000 reached 44 and of 300 reached 34; 2,000 to a gateway reached 5 of 6.
"""


def outcome_of(name: str, tallies: Sequence[Tally], wanted: int, guarded: Collection[str]) -> Outcome:
    """`wanted` cases are asked of runs with an admin: it is he who sends what others leave."""
    reached = _reached(tallies, guarded)
    lines = [
        f"{name}: {counted(_sum(tally.cases for tally in tallies))}",
        f"answers: {counted(_sum(tally.statuses for tally in tallies))}",
        f"operations behind a token that answered with success: {len(reached)} of {len(guarded)}",
        f"those that never did: {', '.join(sorted(set(guarded) - reached)) or 'none'}",
    ]
    return Outcome(name, lines, [*_faults(tallies, wanted, guarded)])


def _faults(tallies: Sequence[Tally], wanted: int, guarded: Collection[str]) -> Iterator[str]:
    for tally in tallies:
        yield from tally.failures
        if not tally.cases.total():
            yield f"a run as {tally.identity} sent nothing"
    if server_errors := _sum(tally.server_errors for tally in tallies):
        yield f"answers that nobody may get: {counted(server_errors)}"
    admins = [tally for tally in tallies if tally.identity == "admin"]
    if not admins:
        return
    sent = sum(tally.cases.total() for tally in tallies)
    if sent < wanted:
        yield f"{sent} cases were sent, {wanted} were asked for"
    share = SHORT_SHARE if wanted < SHORT else REACHED_SHARE
    reached, least = len(_reached(admins, guarded)), max(1, int(len(guarded) * share))
    if reached < least:
        yield f"an admin got success at {reached} of {len(guarded)} operations behind a token, expected {least}"


def _reached(tallies: Sequence[Tally], guarded: Collection[str]) -> set[str]:
    return set[str]().union(*(tally.reached for tally in tallies)) & set(guarded)


def _sum(counts: Iterator[Counter[str]]) -> Counter[str]:
    return sum(counts, Counter[str]())
