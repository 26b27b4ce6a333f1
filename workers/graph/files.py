"""A served graph as files of this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from schemas.model.references import GraphRef
from workers.runtime.artifacts import ArtifactStore


@dataclass(frozen=True)
class GraphFiles:
    """What a `GraphRef` refers to, by absolute paths: whoever opens them may work in another folder."""

    base_graph: Path
    adapter: Path
    tokenizer: Path
    chat_template: Path | None

    @classmethod
    def fetch(cls, graph: GraphRef, artifacts: ArtifactStore) -> Self:
        return cls(
            base_graph=artifacts.fetch(graph.base_graph).resolve(),
            adapter=artifacts.fetch(graph.adapter).resolve(),
            tokenizer=artifacts.fetch(graph.tokenizer).resolve(),
            chat_template=artifacts.fetch(graph.chat_template).resolve() if graph.chat_template else None,
        )
