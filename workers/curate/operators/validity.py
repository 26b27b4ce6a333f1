"""What makes a record a row: its columns are there, its text can be read, its label and group mean something."""

import re
from dataclasses import dataclass
from itertools import islice

from schemas.jobs.curate import CurateSpec, Source
from schemas.labels import NotALabel, canonical_label
from workers.curate.operators.labels import label_of
from workers.curate.rows import Place, Reason, Record, Reject, Row, character_fault, digest_of
from workers.model.normalize import normalize
from workers.runtime.errors import JobError

WORD = re.compile(r"\S+")
MAX_CHARACTERS = 1_000_000
"""Characters of a row's text, where it is not truncated; a longer one is rejected."""


@dataclass
class Validity:
    """The checks of one source, in order: the first that fails is the reason."""

    spec: CurateSpec
    source: Source
    index: int
    pattern: re.Pattern[str] | None
    truncated: int = 0
    """Texts that were cut so far."""

    @classmethod
    def of(cls, spec: CurateSpec, index: int) -> "Validity":
        source = spec.sources[index]
        if source.group_pattern is not None and source.group is None:
            raise JobError(f"sources[{index}].group_pattern needs the field group: the column that it is applied to")
        return cls(spec, source, index, _compile(source.group_pattern, index))

    def row(self, record: Record) -> Row | Reject:
        place = Place(self.index, record.line)
        value = record.fields.get(self.source.text)
        text = self._cut(value.strip()) if isinstance(value, str) else ""
        reason = self._missing(record) or self._text_fault(value, text)
        if reason is None:
            label, reason = label_of(record.fields[self.source.label], self.source, self.spec.labels)
            group, group_reason = self._group(record)
            if (reason := reason or group_reason) is None and label is not None:
                return Row(text, label, group, normalize(text), place)
        return Reject(place, reason or "malformed", digest_of(value if isinstance(value, str) else b""))

    def _missing(self, record: Record) -> Reason | None:
        needed: list[tuple[str, Reason]] = [(self.source.text, "empty_text"), (self.source.label, "empty_label")]
        if self.source.group:
            needed.append((self.source.group, "empty_group"))
        if any(column not in record.fields for column, _ in needed):
            return "missing_column"
        return next((reason for column, reason in needed if record.fields[column] is None), None)

    def _text_fault(self, value: object, text: str) -> Reason | None:
        if not isinstance(value, str):
            return "not_text"
        if fault := character_fault(value):
            return fault
        if len(text) > MAX_CHARACTERS:
            return "too_long"
        return self._length_fault(text)

    def _length_fault(self, text: str) -> Reason | None:
        words = len(text.split())
        if words == 0:
            return "empty_text"
        if words < self.spec.min_words:
            return "too_few_words"
        too_many = self.spec.long_texts == "reject" and words > (self.spec.max_words or words)
        return "too_many_words" if too_many else None

    def _cut(self, text: str) -> str:
        """Its first max_words words with what stands between them, where the spec asks for that."""
        if self.spec.long_texts != "truncate" or self.spec.max_words is None:
            return text
        last = next(islice(WORD.finditer(text), self.spec.max_words - 1, None), None)
        if last is None or last.end() == len(text):
            return text
        self.truncated += 1
        return text[: last.end()]

    def _group(self, record: Record) -> tuple[str | None, Reason | None]:
        if self.source.group is None:
            return None, None
        try:
            group = canonical_label(record.fields[self.source.group])
        except NotALabel as error:
            return None, error.fault
        if group is None:
            return None, "empty_group"
        if self.pattern is None:
            return group, None
        match = self.pattern.search(group)
        return (match[1], None) if match and match[1] is not None else (None, "group_pattern_mismatch")


def _compile(pattern: str | None, index: int) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise JobError(f"sources[{index}].group_pattern {pattern!r} is not a regular expression: {error}") from error
    if compiled.groups < 1:
        raise JobError(f"sources[{index}].group_pattern {pattern!r} captures nothing; expected one (…)")
    return compiled
