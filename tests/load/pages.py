"""A soak's findings in docs/load.md, between the markers of its topology."""

import re
from typing import Any

from tests.load.report import to_text


def section(document: dict[str, Any], conditions: str) -> str:
    """Requests, then what was looked at."""
    bad = sum(not finding["ok"] for finding in document["findings"])
    verdict = f"**Not flat**: {bad} findings." if bad else f"**Flat**: {len(document['findings'])} things looked at."
    rows = [
        f"| {finding['subject']} | {finding['measure']} | {'ok' if finding['ok'] else '**bad**'} | {finding['text']} |"
        for finding in document["findings"]
    ]
    head = ["| what | measure | verdict | seen |", "|---|---|---|---|"]
    return "\n".join([f"{verdict} {conditions}", "", "```text", to_text(document["load"]), "```", "", *head, *rows])


def with_section(text: str, topology: str, written: str) -> str:
    """Raises ValueError for a text without the markers."""
    begin, end = f"<!-- soak:{topology}:start -->", f"<!-- soak:{topology}:end -->"
    found, times = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{written}\n{end}", text, flags=re.DOTALL
    )
    if times != 1:
        raise ValueError(f"expected the lines {begin} and {end} once, found them {times} times")
    return found
