"""How a version's encoder differs from its base, in any form: what an adapter file holds, and what a graph is given."""

from collections.abc import Mapping
from typing import Any, Final

from schemas.model.forms import Form
from workers.adapters.forms.dense.change import DenseChange
from workers.adapters.forms.low_rank.change import LowRankChange
from workers.adapters.forms.virtual_tokens.change import VirtualTokensChange
from workers.base.arrays import Floats

Change = LowRankChange | DenseChange | VirtualTokensChange
_CHANGES: Final[Mapping[str, Any]] = {
    "low_rank": LowRankChange,
    "dense": DenseChange,
    "virtual_tokens": VirtualTokensChange,
}


def read_change(form: Form, tensors: Mapping[str, Floats]) -> Change:
    """ValueError: the tensors are not those of such a form."""
    change: Change = _CHANGES[form.type].read(form, tensors)
    return change
