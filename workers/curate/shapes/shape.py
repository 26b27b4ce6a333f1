"""A shape is a way in which files hold rows of a row schema: its columns, and what their values mean."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from schemas.data.rows import RowSchemaName
from schemas.jobs.curate import Source
from workers.curate.rows import Record, Reject, digest_of
from workers.curate.shapes.values import Fault, name_in
from workers.data.rows import ROWS, Place, Row

Fields = Mapping[str, object]
Values = tuple[object, ...]
"""What a row schema's columns hold, in their order."""


@dataclass(frozen=True)
class Shape:
    """One way to write rows of one row schema."""

    row_schema: RowSchemaName
    columns: Sequence[str]
    """What a file must have to be taken for it, the column to name a rejected row by first."""
    values: Callable[[Fields, Mapping[str, str]], Values | Fault]
    """What a record's fields say, given what the file calls the shape's columns."""
    optional: Sequence[str] = ()


@dataclass(frozen=True)
class Reader:
    """A shape as one source has it."""

    shape: Shape
    source: Source
    index: int
    """The source's place in the spec."""
    names: Mapping[str, str]
    """What the file calls the shape's columns."""

    def row_of(self, record: Record) -> Row | Reject:
        """The first fault that is found is the reason."""
        place, fields = Place(self.index, record.line), record.fields
        found = self._values(fields)
        if isinstance(found, Fault):
            text = fields.get(self.names[self.shape.columns[0]])
            return Reject(place, None, found.reason, digest_of(text if isinstance(text, str) else b""))
        values, group = found
        return ROWS[self.shape.row_schema](*values, group=group, place=place)

    def _values(self, fields: Fields) -> tuple[Values, str | None] | Fault:
        needed = [self.names[column] for column in self.shape.columns]
        if any(column not in fields for column in (*needed, *filter(None, (self.source.group,)))):
            return Fault("missing_column")
        values = self.shape.values(fields, self.names)
        if isinstance(values, Fault) or self.source.group is None:
            return values if isinstance(values, Fault) else (values, None)
        group = name_in(fields[self.source.group], "empty_group")
        return group if isinstance(group, Fault) else (values, group)
