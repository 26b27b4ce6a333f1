"""Versions of a tiny decoder that nobody trained, exported on one graph, and what PyTorch writes by them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch

from schemas.jobs.export import ExportResult
from schemas.model.precision import Precision
from schemas.model.references import ModelRef
from tests.support.builders.decoder_adapters import decoder_adapter
from tests.support.builders.specs import export_spec
from tests.support.workbench import Workbench
from workers.adapters.reference import fold
from workers.base.loading import load_causal_lm
from workers.export.handler import handle
from workers.graph.decoder.session import DecoderSession

ATTENTION: Final = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP: Final = ("gate_proj", "up_proj", "down_proj")
WIDE: Final = {"hidden_size": 128, "intermediate_size": 96, "num_attention_heads": 8, "num_key_value_heads": 4}
"""Heads of 16 dimensions, which is as few as ONNX Runtime takes."""
NEW_TOKENS: Final = 10
PROMPTS: Final = [[5, 9, 11], [7], [20, 21, 22, 23, 24, 25, 26, 27, 28], [3, 4]]


class Exported:
    """Three versions of a tiny decoder that change different layers, on one graph."""

    def __init__(self, workbench: Workbench, precision: Precision = "fp32") -> None:
        base = workbench.base
        assert base is not None
        self.workbench, self.base, self.precision = workbench, base, precision
        self.adapters = {
            "all": decoder_adapter(base, 2, 1, (*ATTENTION, *MLP)),
            "query and value": decoder_adapter(base, 5, 2, ("q_proj", "v_proj")),
            "mlp": decoder_adapter(base, 3, 3, MLP),
        }
        self.refs: dict[str, ModelRef] = {name: workbench.store(adapter) for name, adapter in self.adapters.items()}
        self.exports: dict[str, ExportResult] = {"all": self.export("all")}
        for name in ("query and value", "mlp"):
            self.exports[name] = self.export(name, base_graph=self.exports["all"].graph.base_graph)
        self.greedy = {name: [self.write(name, prompt) for prompt in PROMPTS] for name in (*self.adapters, None)}

    def export(self, name: str, **fields: object) -> ExportResult:
        spec = export_spec(self.refs[name], **{"precision": self.precision, **fields})
        return handle(spec, self.workbench.context())

    def file(self, name: str) -> Path:
        return self.workbench.artifacts.fetch(self.exports[name].graph.adapter)

    @property
    def graph(self) -> Path:
        return self.workbench.artifacts.fetch(self.exports["all"].graph.base_graph)

    def session(self, *versions: str) -> DecoderSession:
        session = DecoderSession(self.graph)
        for version in versions or self.adapters:
            session.load(version, self.file(version))
        return session

    def network(self, name: str | None) -> torch.nn.Module:
        base = load_causal_lm(self.base)
        return fold(base, self.adapters[name]) if name else base.encoder

    def write(self, name: str | None, prompt: Sequence[int]) -> list[int]:
        """PyTorch's greedy tokens, every one from the whole text before it."""
        ids, network = list(prompt), self.network(name)
        with torch.no_grad():
            for _ in range(NEW_TOKENS):
                ids.append(int(network(torch.tensor([ids])).logits[0, -1].argmax()))
        return ids[len(prompt) :]
