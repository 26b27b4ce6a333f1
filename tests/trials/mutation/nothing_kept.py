"""A pytest plugin for `make mutation`: what sound code has computed and kept does not answer for an edit of it.

Every edit is tried in a fork of one process, which ran the tests before. Nor would mutmut learn which tests reach a
function behind a cache: only the first one would.
"""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Final, Protocol

OURS: Final = ("controlplane", "workers")


class Cache(Protocol):
    def cache_clear(self) -> None: ...


def pytest_runtest_setup() -> None:
    for name, module in sys.modules.items():
        if name.partition(".")[0] in OURS:
            for kept in _caches(module):
                kept.cache_clear()


def _caches(module: ModuleType) -> Iterator[Cache]:
    """The functions whose answers `functools` keeps."""
    return (value for value in vars(module).values() if hasattr(value, "cache_clear"))
