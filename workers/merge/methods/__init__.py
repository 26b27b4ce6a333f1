"""Every merge method by its name in `schemas.jobs.merge.MergeMethod`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from schemas.model.methods import MergeMethod
from workers.merge.methods.cat import cat
from workers.model.adapter import Adapter, Factors

Method = Callable[[Sequence[Adapter], Sequence[float]], Mapping[str, Factors]]
"""Adapters and their weights in, factors out."""

METHODS: Final[dict[MergeMethod, Method]] = {"cat": cat}
