"""A soak's findings in docs/load.md, between the marks of its topology."""

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
