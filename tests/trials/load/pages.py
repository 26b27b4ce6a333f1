"""A soak's findings as docs/load.md tells them, between the marks of its topology."""

from typing import Any

from tests.trials.load.report import to_text


def section(document: dict[str, Any]) -> str:
    """Under which conditions, the requests, then what was looked at."""
    bad = sum(not finding["ok"] for finding in document["findings"])
    verdict = f"**Not flat**: {bad} findings." if bad else f"**Flat**: {len(document['findings'])} things looked at."
    rows = [
        f"| {finding['subject']} | {finding['measure']} | {'ok' if finding['ok'] else '**bad**'} | {finding['text']} |"
        for finding in document["findings"]
    ]
    table = ["| what | measure | verdict | seen |", "|---|---|---|---|", *rows]
    load = ["```text", to_text(document["load"]), "```"]
    return "\n".join([f"{verdict} {document['conditions']}", "", *load, "", *table])
