"""What a decoder graph says of itself, and what its inputs and outputs are called."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Self

from workers.runtime.errors import JobError

METADATA_KEY: Final = "graftwork.decoder.v1"
INPUT_IDS, MASK, SLOTS, PLACES, LOGITS = "input_ids", "attention_mask", "slots", "places", "logits"
LORA_A, LORA_B = "lora_A", "lora_B"


@dataclass(frozen=True)
class Target:
    """A linear layer of the graph that takes updates: one of the base's, or several that the graph computes at once."""

    name: str
    inputs: int
    parts: tuple[tuple[str, int], ...]
    """The base's linear layers, by their paths, and how many outputs each has."""

    @property
    def outputs(self) -> int:
        return sum(width for _, width in self.parts)


@dataclass(frozen=True)
class DecoderForm:
    """The sizes of a decoder graph."""

    layers: int
    kv_heads: int
    head_size: int
    context_length: int
    """Tokens that a text may have, prompt and answer together."""
    targets: tuple[Target, ...]

    def dump(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def read(cls, metadata: Mapping[str, str], name: str) -> Self:
        if METADATA_KEY not in metadata:
            raise JobError(f"graph {name} is no decoder graph of ours: it does not say which layers take updates")
        said = json.loads(metadata[METADATA_KEY])
        targets = tuple(
            Target(target["name"], target["inputs"], tuple((path, width) for path, width in target["parts"]))
            for target in said.pop("targets")
        )
        return cls(targets=targets, **said)

    def past(self) -> tuple[str, ...]:
        """Inputs that hold what attention has seen."""
        return tuple(f"past_key_values.{layer}.{kind}" for layer in range(self.layers) for kind in ("key", "value"))

    def present(self) -> tuple[str, ...]:
        """Outputs that hold it afterwards, in the order of `past`."""
        return tuple(f"present.{layer}.{kind}" for layer in range(self.layers) for kind in ("key", "value"))
