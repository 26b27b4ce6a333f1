"""What each test's own processes have computed, told in the report: seconds on the wall say who else was there."""

import resource
from collections.abc import Generator
from typing import Any, Final

import pytest

CPU: Final = "cpu_seconds"
_began = pytest.StashKey[float]()


def cpu_seconds() -> float:
    """Of this process and of all below it that have ended and were waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_began] = cpu_seconds()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    if call.when == "teardown":
        item.user_properties.append((CPU, round(cpu_seconds() - item.stash[_began], 2)))
    return (yield)
