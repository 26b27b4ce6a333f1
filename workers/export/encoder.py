"""Exports encoder tasks: the base graph is traced from PyTorch, and compared with it on texts."""

from pathlib import Path

from workers.adapters.files import Adapter
from workers.adapters.reference import fold
from workers.base.arrays import Floats
from workers.base.loading import Base, load_base
from workers.export.adapter_conversion import encoder_inputs
from workers.export.base_graph import Identity, export_base_graph, graph_identity
from workers.export.parity import measure_parity

__all__ = ["build_base_graph", "chat_template", "graph_identity", "graph_inputs", "load", "measure_parity"]

load = load_base


def chat_template(base: Base, adapter: Adapter) -> None:
    return None


def build_base_graph(base: Base, adapter: Adapter, identity: Identity, workdir: Path) -> bytes:
    """The version's own weights are in it where no graph is shared."""
    if adapter.identity.form.shared_inputs() is None:
        fold(base, adapter)
    return export_base_graph(base, identity)


def graph_inputs(adapter: Adapter, base_graph: Path) -> dict[str, Floats]:
    return encoder_inputs(adapter)
