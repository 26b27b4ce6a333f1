"""A version's change in PyTorch: whether it fits a base, and the base with it folded in."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from torch import nn

from workers.adapters.files import Adapter
from workers.adapters.forms.dense import modules as dense
from workers.adapters.forms.low_rank import modules as low_rank
from workers.adapters.forms.virtual_tokens import modules as virtual_tokens
from workers.base.loading import Base
from workers.runtime.errors import JobError


class _Form(Protocol):
    """A form's module."""

    def check_fits(self, base: Base, change: Any, max_length: int) -> None: ...
    def fold(self, encoder: nn.Module, change: Any) -> nn.Module: ...


_FORMS: Final[Mapping[str, _Form]] = {"low_rank": low_rank, "dense": dense, "virtual_tokens": virtual_tokens}


def fold(base: Base, adapter: Adapter) -> nn.Module:
    """The network that answers as the version; `base`'s weights may change by it."""
    return _FORMS[adapter.identity.form.type].fold(base.encoder, adapter.change)


def check_fits(base: Base, adapter: Adapter) -> None:
    """An adapter of another base, or of other shapes, is refused with the difference."""
    if (made_for := adapter.identity.base.digest) != base.digest:
        raise JobError(f"the adapter was made for base {made_for}, this base is {base.digest}")
    if adapter.head is not None and (takes := adapter.head.weight.shape[1]) != base.feature_size:
        raise JobError(f"the adapter's head takes {takes} features, this base gives {base.feature_size}")
    _FORMS[adapter.identity.form.type].check_fits(base, adapter.change, adapter.identity.max_length)
