"""What the control plane knows of one kind of job beyond what the types of its Spec and Result say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from controlplane.domain.result_claims import Claim
from schemas.artifacts import Digest, Split

Spec = TypeVar("Spec")
Result = TypeVar("Result")


class Registry(Protocol):
    """What is registered already, as far as results restate it."""

    def rows_digest(self, dataset_version: UUID, split: Split) -> Digest | None:
        """The digest of the rows of one split of a dataset version; None: the version has no such split."""
        ...


def no_summary(result: Any) -> str:
    return ""


@dataclass(frozen=True)
class Kind(Generic[Spec, Result]):
    claims: Callable[[Spec, Result, Registry], Iterator[Claim]]
    """What a result restates, each with whether it holds: what the spec says first, then what is registered."""
    summary: Callable[[Result], str] = no_summary
    """A finding in one line, for people; empty where the result is no finding."""
    unit: str = "parts"
    """What the progress of such a job counts."""
