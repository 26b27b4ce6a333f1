"""What a training asks of its method, and the method's module, which is named as the method is."""

import importlib
from typing import Any, Protocol, cast

from torch import nn

from schemas.model.methods import TrainedMethod
from workers.adapters.forms.change import Change


class Method(Protocol):
    """A module of this folder."""

    def inject(self, encoder: nn.Module, asked: Any) -> nn.Module:
        """The encoder with what is to be trained in it, which alone requires gradients.

        New numbers come from PyTorch's own generator, which the caller has seeded.
        """
        ...

    def change_of(self, encoder: nn.Module) -> Change:
        """What was trained, in the form that the method has."""
        ...


def method_of(asked: TrainedMethod) -> Method:
    """The union in `schemas.model.methods` lists them; a method that is not used loads nothing."""
    return cast(Method, importlib.import_module(f"workers.adapters.methods.{asked.type}"))
