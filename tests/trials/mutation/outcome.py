"""What became of each mutant, as one JSON document and as docs/mutation-testing.md rendered from it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

MINIMUM: Final = 0.9
"""The share of all mutants that a test or the type checker has to see."""
SEEN: Final = ("killed", "caught by type check", "timeout")
"""A mutant that never ends is seen: pytest would not end either."""
MISSED: Final = ("survived", "no tests")
NOT_TRIED: Final = "not tried"
"""The run was ended before; nobody knows."""
HEAD: Final = """# Mutation testing

`make mutation` edits one expression of the code at a time ([mutmut](https://mutmut.readthedocs.io)) and asks the unit
tests whether they notice: the canary's statistics and every other rule of `controlplane/domain`, the privacy of
training, the gateway's ledger, journal, lease and split, evaluation, the digest and the split of curation. It fails
below {minimum:.0%}, and when an edit survives that nobody has explained. It is part of `make nightly`; this page is
rendered from [its last result](../tests/trials/mutation/result.json).
"""


class Mutant(NamedTuple):
    """One edit: where, what became of it, and its changed lines (`- before`, `+ after`)."""

    function: str
    status: str
    edit: str


Explanations = Mapping[str, Mapping[str, str]]
"""Function to edit to the reason why no test can, or need, see it."""


def document(
    mutants: Sequence[Mutant],
    explanations: Explanations,
    commit: str,
    on: str,
    earlier: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that the page and its reader's next question need.

    A module of which nothing was tried keeps what an earlier result says of it.
    """
    modules: dict[str, Counter[str]] = {}
    for mutant in mutants:
        modules.setdefault(module_of(mutant), Counter())[mutant.status] += 1
    before = {"modules": {}, "survivors": [], "played": {}} if earlier is None else earlier
    kept = {name for name, counts in modules.items() if {*counts} == {NOT_TRIED} and name in before["modules"]}
    survivors = [
        {"function": mutant.function, "edit": mutant.edit, "why": _why(mutant, explanations)}
        for mutant in sorted(mutants)
        if mutant.status in MISSED
    ]
    survivors += [one for one in before["survivors"] if one["function"].split(":")[0] in kept]
    return {
        "modules": {
            name: before["modules"][name] if name in kept else dict(sorted(counts.items()))
            for name, counts in sorted(modules.items())
        },
        "played": {name: before["played"][name] if name in kept else f"{on}, {commit}" for name in sorted(modules)},
        "survivors": sorted(survivors, key=lambda one: one["function"]),
    }


def module_of(mutant: Mutant) -> str:
    """The dotted module; what follows its last lower-case dot is a function or `Class.method`."""
    return mutant.function.split(":")[0]


def seen_share(counts: Mapping[str, int]) -> float:
    """The share of the mutants that could be judged which the tests saw."""
    seen, missed = (sum(counts.get(name, 0) for name in names) for names in (SEEN, MISSED))
    return seen / (seen + missed) if seen + missed else 1.0


def total(result: Mapping[str, Any]) -> Counter[str]:
    summed: Counter[str] = Counter()
    for counts in result["modules"].values():
        summed.update(counts)
    return summed


def faults(result: Mapping[str, Any]) -> list[str]:
    """Why the campaign fails; empty: it holds."""
    share = seen_share(total(result))
    unexplained = [f"{one['function']}\n{one['edit']}" for one in result["survivors"] if not one["why"]]
    found = [f"{share:.1%} of the mutants are seen, at least {MINIMUM:.0%} expected"] if share < MINIMUM else []
    if left := total(result)[NOT_TRIED]:
        found.append(f"{left} mutants were not tried: run it again, it goes on where it stopped")
    return [*found, *(f"survives without an explanation: {one}" for one in unexplained)]


def page(result: Mapping[str, Any]) -> str:
    """docs/mutation-testing.md."""
    rows = [f"{_row(name, counts)} {result['played'][name]} |" for name, counts in result["modules"].items()]
    table = [
        "| module | mutants | seen of those tried | by a test | by types | never ends | survive | not tried | played |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    summary = (
        "Last result; `played` says when, and at which commit: what has not changed is not played at every change."
    )
    lines = [HEAD.format(minimum=MINIMUM), summary, *_not_measured(result["modules"])]
    lines += ["", *table, *rows, f"{_row('**all**', total(result))}  |", ""]
    return "\n".join([*lines, "## What survives, and why that is right", "", *_survivors(result["survivors"])])


def _not_measured(modules: Mapping[str, Mapping[str, int]]) -> list[str]:
    left = [name for name, counts in modules.items() if set(counts) == {NOT_TRIED}]
    partly = [name for name, counts in modules.items() if NOT_TRIED in counts and name not in left]
    told = [("Not measured", left), ("Measured in part", partly)]
    return [f"{words}: {', '.join(f'`{name}`' for name in names)}." for words, names in told if names]


def _row(name: str, counts: Mapping[str, int]) -> str:
    by_test, by_types, endless = (counts.get(word, 0) for word in SEEN)
    missed = sum(counts.get(word, 0) for word in MISSED)
    tried = sum(counts.values()) - (left := counts.get(NOT_TRIED, 0))
    cells = (
        sum(counts.values()),
        f"{seen_share(counts):.1%}" if tried else "",
        by_test,
        by_types,
        endless,
        missed,
        left,
    )
    return f"| {name} | {' | '.join(str(cell) for cell in cells)} |"


def _survivors(survivors: Iterable[Mapping[str, str]]) -> list[str]:
    by_reason: dict[str, list[Mapping[str, str]]] = {}
    for one in survivors:
        by_reason.setdefault(one["why"] or "not explained yet", []).append(one)
    lines = []
    for reason, alike in sorted(by_reason.items()):
        lines += [f"- **{reason}**", "", "  ```diff"]
        lines += [f"  {line}" for one in alike for line in (f"# {one['function']}", *one["edit"].split("\n"))]
        lines += ["  ```", ""]
    return lines or ["Nothing does.", ""]


def _why(mutant: Mutant, explanations: Explanations) -> str:
    return explanations.get(mutant.function, {}).get(mutant.edit, "")
