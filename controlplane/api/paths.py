"""Paths in which a verb may follow a name: `/v1/deployments/{name:segment}:rollback`."""

from typing import Annotated

from fastapi import Path
from starlette.convertors import Convertor, register_url_convertor

from schemas.artifacts import Name

PathName = Annotated[Name, Path()]


class SegmentConvertor(Convertor[str]):
    """One segment without a colon, so that `GET …/reviews:rollback` meets the verb's 405 and not a name."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


# Starlette looks convertors up by name when a route is declared, and has no other place to give one.
register_url_convertor("segment", SegmentConvertor())
