"""The bases of the contract: what readers must tolerate, what they must refuse, and what the API shows."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)

from schemas.docstrings import fields_of

SCALARS: Final = frozenset({"bool", "int", "float"})
RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _written_as_time(value: Any) -> Any:
    """pydantic also takes `0` and `"1e3"`, as seconds since 1970: nobody means that by a time."""
    if isinstance(value, int | float) or (isinstance(value, str) and not RFC_3339.fullmatch(value)):
        raise ValueError("expected a time as RFC 3339 writes it, such as 2026-11-24T12:00:00Z")
    return value


def _within_the_calendar(value: datetime) -> datetime:
    """Python's calendar ends with the years 1 and 9999: an instant whose day in UTC lies outside cannot be compared."""
    try:
        value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("expected a time that lies in the years 1 to 9999 in UTC, too") from error
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written_as_time), AfterValidator(_within_the_calendar)]
"""An instant that somebody else wrote."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""Where a generator of random numbers begins: the same seed draws the same."""


def _exact(part: Any) -> None:
    """pydantic's own strict mode would also refuse a UUID's text and a tuple's list, and JSON has nothing else."""
    if isinstance(part, dict):
        if str(part.get("type")) in SCALARS:
            part["strict"] = True
        for inner in part.values():
            _exact(inner)
    elif isinstance(part, list | tuple):
        for inner in part:
            _exact(inner)


class Described(BaseModel):
    """The string below a field is its description in every schema."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, words in fields_of(cls).items():
            if name in properties:
                properties[name].setdefault("description", words)
        return schema


class View(Described):
    """What the API shows of a thing."""


class _Exact(Described):
    """Numbers and booleans are what JSON says they are: `"3"`, `1` for true and `false` for 0 are refused.

    So are NaN and the infinities, which JSON does not have: no comparison with them means anything.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        schema = handler(source)
        _exact(schema)
        return schema


class Tolerant(_Exact):
    """A frozen message whose readers ignore fields that they do not know (events, results, answers)."""

    model_config = ConfigDict(extra="ignore")


class Strict(_Exact):
    """A frozen message that is refused when it has a field that we do not know (specs, requests).

    An ignored field of a job's spec could be `privacy`: an old worker must refuse it, not train without it.
    """

    model_config = ConfigDict(extra="forbid")
