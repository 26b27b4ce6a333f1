"""Every merge method by its name in `schemas.jobs.merge.MergeMethod`."""

from collections.abc import Callable, Sequence
from typing import Final

from schemas.model.methods import MergeMethod
from workers.adapters.forms.low_rank.change import LowRankChange
from workers.merge.methods.cat import cat

Method = Callable[[Sequence[LowRankChange], Sequence[float]], LowRankChange]
"""Changes and their weights in, their sum out."""

METHODS: Final[dict[MergeMethod, Method]] = {"cat": cat}
