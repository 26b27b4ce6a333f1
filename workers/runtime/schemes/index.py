"""Which package index `pypi://` sources are read from."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Index:
    """What this machine's operator allows."""

    packages: Sequence[str] = ()
    url: str | None = None
    """None: the index that this machine's installer is set to."""
    file_hosts: Sequence[str] = ()
