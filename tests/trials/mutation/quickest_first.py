"""A pytest plugin for `make mutation`: of the tests that reach an edit the quickest run first; most edits need one."""

from math import inf

import pytest
from mutmut.state import state


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seconds = state().duration_by_test
    items.sort(key=lambda item: seconds.get(item.nodeid, inf))
