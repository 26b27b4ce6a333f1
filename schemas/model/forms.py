"""How a version's change is stored and served: all that export, merge, serving and audits need to know of a method."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.base import Tolerant

TargetModule = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z0-9_]+)*$")]
MAX_RANK = 4096
"""The rank of a version's update: a merge of 16 versions of rank 256 has it."""
MAX_VIRTUAL_TOKENS = 256
"""Rows that a version puts before each text: more cost more than the text itself."""


class LowRank(Tolerant):
    """Each target module answers W·x + B·A·x, whatever scaling its method has folded into B."""

    type: Literal["low_rank"] = "low_rank"
    """The form."""
    r: int = Field(ge=0, le=MAX_RANK)
    """Rank of the update of each target module; 0: there is none, the version is its head. Unit: dimensions."""
    target_modules: tuple[TargetModule, ...]
    """The base's linear layers that take an update, by the ends of their names."""

    def shared_inputs(self) -> tuple[TargetModule, ...] | None:
        """The target modules that a shared base graph must have inputs for."""
        return self.target_modules


class Dense(Tolerant):
    """Weights of the base have new values: the version's graph is its own, and no other version's."""

    type: Literal["dense"] = "dense"
    """The form."""

    def shared_inputs(self) -> None:
        """No graph is shared."""
        return None


class VirtualTokens(Tolerant):
    """Rows stand before each text's embeddings; they take positions, and are no part of what the head reads."""

    type: Literal["virtual_tokens"] = "virtual_tokens"
    """The form."""
    num_virtual_tokens: int = Field(ge=1, le=MAX_VIRTUAL_TOKENS)
    """Unit: tokens."""

    def shared_inputs(self) -> tuple[TargetModule, ...] | None:
        """Every shared base graph has an input for rows, and this form needs no other."""
        return ()


Form = Annotated[LowRank | Dense | VirtualTokens, Field(discriminator="type")]
