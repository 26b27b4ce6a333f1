"""What a person is told on top of a curation's answer: what was lost most, and what to do about it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from schemas.artifacts import Split
from schemas.data.operators import OPERATORS
from schemas.labels import MAY_MEAN_NONE
from workers.data.rows import Row

WORTH_A_WARNING: Final = 0.1
"""The share of the rows that were read which, when rejected, is worth a line of advice."""
OF_READING: Final[dict[str, str]] = {
    "undecodable": "the file is not in the encoding that it was read in: set encoding, such as windows-1252",
    "malformed": "these lines have more fields than the header, or are no JSON object: set delimiter, quote or format",
    "stray_quote": "a quote opens in these lines and never closes: mend them, or set quote to an empty text",
    "not_a_row": "lines above the one that names the columns, below it to rule it off, or that line once more: nothing "
    "to do",
    "repeated_key": "these objects have a field twice, with two values: decide for one of them",
    "missing_column": "these rows lack a column that is asked for: set delimiter or quote, or mend the rows",
    "not_text": "the field text must name a column of texts",
    "nul_character": "these rows hold a NUL character: set encoding, or remove it",
    "empty_text": "these rows have no text: is it the right column?",
    "empty_label": "these rows have no label: fill it in, or name another column",
    "empty_group": "these rows have no value in the column group: fill it in, or name another column",
    "too_long": "these lines are longer than anybody reads: shorten them",
    "not_a_label": "a label is text, a number, a boolean or a date, not a list or an object",
    "label_too_long": "is it the right column?",
    "empty_prompt": "these rows have no prompt: is it the right column?",
    "empty_completion": "these rows have nothing to learn: fill the completion in, or name another column",
    "not_messages": "a conversation is a list of messages, each with who says it and what (in CSV: as JSON)",
    "empty_message": "a message of these conversations says nothing: fill it in, or remove it",
    "unknown_role": "only system, user and assistant speak here: remove the messages of tools",
    "no_assistant_turn_last": "what is learnt is the assistant's last message: cut what stands behind it",
}
ADVICE: Final[dict[str, str]] = {
    **OF_READING,
    **{reason: words for operator in OPERATORS for reason, words in operator.REJECTS.items()},
}
"""What to do about each reason. An operator says it of its own."""


def of_rejects(rejected: Mapping[str, int], read: int) -> Iterator[str]:
    """One line when more than a tenth was rejected, and one whenever the encoding cost rows."""
    total = sum(rejected.values())
    counts: Counter[str] = Counter(rejected)
    reasons = [reason for reason, _ in counts.most_common(1) if total > WORTH_A_WARNING * read]
    if counts["undecodable"] and "undecodable" not in reasons:
        reasons.append("undecodable")
    for reason in reasons:
        yield (f"{total} of {read} rows were rejected, {counts[reason]} of them as {reason}: {ADVICE[reason]}")


def of_splits(rows: Mapping[Split, Sequence[Row]], labels: Sequence[str]) -> Iterator[str]:
    """Labels with too few rows to be in each split that there is, all of them in one line."""
    counts = Counter(row.label for part in rows.values() for row in part)
    for split in ("validation", "test"):
        there = {row.label for row in rows[split]}
        lacking = [f"{label} {counts[label]}" for label in labels if label not in there]
        if there and lacking:
            yield f"labels without a row in {split}, with all their rows: {', '.join(lacking)}"


def of_labels(rows: Mapping[Split, Sequence[Row]], asked: Sequence[str]) -> Iterator[str]:
    """Labels that nobody asked for by name, and that may say that a row has none."""
    counts = Counter(row.label for part in rows.values() for row in part)
    found = [
        f"{label} {count}" for label, count in sorted(counts.items()) if label and label.casefold() in MAY_MEAN_NONE
    ]
    if found and not asked:
        yield (
            f"labels that may mean that there is none, with all their rows: {', '.join(found)}; to leave these rows "
            "out, list the others in labels"
        )
