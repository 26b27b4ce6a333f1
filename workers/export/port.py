"""What an export asks of a task: how its base graph is made, what a version gives to it, and how the two compare."""

from pathlib import Path
from typing import Protocol

from workers.adapters.files import Adapter
from workers.base.arrays import Floats
from workers.base.chat import ChatTemplate
from workers.base.loading import Base
from workers.export.base_graph import Identity
from workers.export.parity import Parity, ServedGraph


class Exporter(Protocol):
    """A module: `encoder` of this folder, `exporter` of `decoder`."""

    def load(self, folder: Path) -> Base: ...

    def chat_template(self, base: Base, adapter: Adapter) -> ChatTemplate | None:
        """What makes a prompt of messages, where the task and the base have such."""
        ...

    def graph_identity(self, base: Base, adapter: Adapter, adapter_digest: str) -> Identity:
        """`adapter_digest`: of the adapter's file, which names the weights of a graph that is the version's own."""
        ...

    def build_base_graph(self, base: Base, adapter: Adapter, identity: Identity, workdir: Path) -> bytes: ...

    def graph_inputs(self, adapter: Adapter, base_graph: Path) -> dict[str, Floats]:
        """What a version gives to its base graph."""
        ...

    def measure_parity(self, graph: ServedGraph, base: Base, adapter: Adapter, rows: int) -> Parity:
        """`base`'s weights are changed by it."""
        ...
