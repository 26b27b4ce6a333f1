"""A log tells where something went wrong, and nothing of what it was told."""

import io
import logging

import pytest
from pydantic import BaseModel

from processes.logs import DiscreetFormatter

SECRET = "jane.doe@example.com"


class Strict(BaseModel):
    age: int


def broken() -> None:
    try:
        Strict.model_validate({"age": SECRET})
    except ValueError as error:
        raise RuntimeError(f"row {SECRET} cannot be read") from error


@pytest.mark.parametrize("fault", [broken, lambda: Strict.model_validate({"age": SECRET})])
def test_an_exception_is_told_without_its_words(fault: object) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(DiscreetFormatter("%(message)s"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        fault()  # type: ignore[operator]
    except Exception:
        logger.exception("it failed")
    told = out.getvalue()
    assert "ValidationError" in told
    assert "test_logs.py" in told
    assert "in broken" in told or fault is not broken
    assert SECRET not in told
