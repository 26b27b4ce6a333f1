"""What every form's change can say of itself, however it is computed with."""

from typing import Protocol

from workers.base.arrays import Floats


class Change(Protocol):
    """How one version's encoder differs from its base."""

    def tensors(self) -> dict[str, Floats]:
        """As the adapter file names and holds them."""
        ...

    def graph_inputs(self) -> dict[str, Floats]:
        """What the version gives to its base graph, by the names of that graph's inputs."""
        ...
