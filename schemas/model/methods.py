"""How a version's weights were changed, with PEFT's own names: as a fact of the version, and as a spec asks for it."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, TypeAdapter

from schemas.base import Strict, Tolerant
from schemas.model.forms import MAX_VIRTUAL_TOKENS, Dense, LowRank, TargetModule, VirtualTokens

MergeMethod = Literal["cat"]


AllLinear = Literal["all-linear"]
"""Every linear layer but the one that makes logits: PEFT's word for them."""


class _LoraSettings(Tolerant):
    type: Literal["lora"] = "lora"
    """The method."""
    r: int = Field(default=8, ge=1, le=256)
    """Rank of the update of each module. Unit: dimensions."""
    lora_alpha: float = Field(default=16.0, gt=0)
    """The update is scaled by lora_alpha / r. Unit: none."""
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropped of the adapter's input while training. Unit: fraction."""
    use_rslora: bool = False
    """Whether to scale by lora_alpha / √r instead (https://arxiv.org/abs/2312.03732)."""


class Lora(_LoraSettings):
    """Low-rank updates of linear layers (https://arxiv.org/abs/2106.09685): PEFT's LoraConfig, the part we serve."""

    target_modules: tuple[TargetModule, ...] = Field(default=("query", "value"), min_length=1)
    """The base model's linear layers that got an update, by the ends of their names."""

    def form(self) -> LowRank:
        return LowRank(r=self.r, target_modules=self.target_modules)


class HeadAlone(Tolerant):
    """The base stays as it is, and a head is trained on what it says."""

    type: Literal["head"] = "head"
    """The method."""

    def form(self) -> LowRank:
        return LowRank(r=0, target_modules=())


class Full(Tolerant):
    """New values of every weight of the base: for small bases, as each version is as large as its base."""

    type: Literal["full"] = "full"
    """The method."""

    def form(self) -> Dense:
        return Dense()


class PromptTuning(Tolerant):
    """Rows before each text's embeddings (https://arxiv.org/abs/2104.08691): PEFT's PromptTuningConfig, the part we
    serve."""

    type: Literal["prompt"] = "prompt"
    """The method."""
    num_virtual_tokens: int = Field(default=8, ge=1, le=MAX_VIRTUAL_TOKENS)
    """Rows before each text; with `max_length` they must fit what the base takes. Unit: tokens."""

    def form(self) -> VirtualTokens:
        return VirtualTokens(num_virtual_tokens=self.num_virtual_tokens)


class Merged(Tolerant):
    """Not trained: made of the updates of other versions, which are the version's parents."""

    type: Literal["merged"] = "merged"
    """The method."""
    merge_method: MergeMethod
    """How they were put together."""


TrainedMethod = Annotated[Lora | HeadAlone | Full | PromptTuning, Field(discriminator="type")]
"""Each says the form in which its change is stored."""
Method = Annotated[Lora | HeadAlone | Full | PromptTuning | Merged, Field(discriminator="type")]


class LoraSpec(_LoraSettings, Strict):
    """Train low-rank updates of linear layers (https://arxiv.org/abs/2106.09685)."""

    LEARNING_RATE: ClassVar = 2e-3
    target_modules: tuple[TargetModule, ...] | AllLinear | None = Field(
        default=None, min_length=1, examples=[["query", "value"]]
    )
    """The base model's linear layers that get an update, by the ends of their names, or `all-linear`: every one but
    that which makes logits; null: `query` and `value` for text-classification, `all-linear` for text-generation."""


class HeadAloneSpec(HeadAlone, Strict):
    """Train the head and nothing else."""

    LEARNING_RATE: ClassVar = 2e-3


class FullSpec(Full, Strict):
    """Train every weight of the base: for small bases."""

    LEARNING_RATE: ClassVar = 2e-5


class PromptTuningSpec(PromptTuning, Strict):
    """Train rows before each text's embeddings (https://arxiv.org/abs/2104.08691)."""

    LEARNING_RATE: ClassVar = 2e-3


TrainMethod = Annotated[LoraSpec | HeadAloneSpec | FullSpec | PromptTuningSpec, Field(discriminator="type")]
"""What a training may be asked for; `LEARNING_RATE` is AdamW's where none is given."""
_METHOD: Final[TypeAdapter[TrainedMethod]] = TypeAdapter(TrainedMethod)


def as_fact(asked: TrainMethod, target_modules: tuple[TargetModule, ...]) -> TrainedMethod:
    """The method of a version that was trained as a spec asks; `target_modules`: what LoRA's became."""
    said = {"target_modules": target_modules} if isinstance(asked, LoraSpec) else {}
    return _METHOD.validate_python({**asked.model_dump(), **said})
