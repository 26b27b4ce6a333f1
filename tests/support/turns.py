"""Which tests wait for `make nightly`, and which take turns by the day: what a run leaves out, it says."""

import os
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

import pytest

DAY: Final = "GRAFTWORK_TEST_DAY"
"""Names the day whose turn it is, so that a run of another day can be repeated."""

T = TypeVar("T")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="nightly tests too, and all that take turns by the day")


def pytest_configure(config: pytest.Config) -> None:
    os.environ.setdefault(DAY, str(datetime.now(UTC).toordinal()))  # before workers start, who inherit it


def pytest_report_header(config: pytest.Config) -> str:
    return "nightly tests too" if config.option.whole else f"day {os.environ[DAY]}, without nightly tests"


@pytest.hookimpl(trylast=True)  # of what was asked for
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.whole:
        return
    left_out = {item.nodeid for item in items if item.get_closest_marker("nightly")} | _waiting(items)
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
    items[:] = [item for item in items if item.nodeid not in left_out]


def _waiting(items: Sequence[pytest.Item]) -> set[str]:
    """Whose turn it is not."""
    turns: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("by_turns"):
            turns[item.nodeid.partition("[")[0]].append(item.nodeid)
    day = int(os.environ[DAY])
    return {one for several in turns.values() for one in several if one != whose_turn(several, day)}


def whose_turn(several: Sequence[T], day: int) -> T:
    """Each has its turn once in as many days as there are."""
    return several[day % len(several)]
