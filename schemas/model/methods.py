"""How a version's weights were changed, with PEFT's own names: as a fact of the version, and as a spec asks for it."""

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from schemas.base import Strict, Tolerant
from schemas.model.forms import MAX_VIRTUAL_TOKENS, Dense, LowRank, TargetModule, VirtualTokens

MergeMethod = Literal["cat"]


class Lora(Tolerant):
    """Low-rank updates of linear layers (https://arxiv.org/abs/2106.09685): PEFT's LoraConfig, the part we serve."""

    type: Literal["lora"] = "lora"
    """The method."""
    r: int = Field(default=8, ge=1, le=256)
    """Rank of the update of each module. Unit: dimensions."""
    lora_alpha: float = Field(default=16.0, gt=0)
    """The update is scaled by lora_alpha / r. Unit: none."""
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropped of the adapter's input while training. Unit: fraction."""
    target_modules: tuple[TargetModule, ...] = Field(default=("query", "value"), min_length=1)
    """The base model's linear layers that get an update, by the ends of their names."""
    use_rslora: bool = False
    """Whether to scale by lora_alpha / √r instead (https://arxiv.org/abs/2312.03732)."""


class HeadAlone(Tolerant):
    """The base stays as it is, and a head is trained on what it says."""

    type: Literal["head"] = "head"
    """The method."""


class Full(Tolerant):
    """New values of every weight of the base: for small bases, as each version is as large as its base.

    Its learning rate is far below LoRA's: 2e-5 is usual.
    """

    type: Literal["full"] = "full"
    """The method."""


class PromptTuning(Tolerant):
    """Rows before each text's embeddings (https://arxiv.org/abs/2104.08691): PEFT's PromptTuningConfig, the part we
    serve."""

    type: Literal["prompt"] = "prompt"
    """The method."""
    num_virtual_tokens: int = Field(default=8, ge=1, le=MAX_VIRTUAL_TOKENS)
    """Rows before each text; with `max_length` they must fit what the base takes. Unit: tokens."""


class Merged(Tolerant):
    """Not trained: made of the updates of other versions, which are the version's parents."""

    type: Literal["merged"] = "merged"
    """The method."""
    merge_method: MergeMethod
    """How they were put together."""


Method = Annotated[Lora | HeadAlone | Full | PromptTuning | Merged, Field(discriminator="type")]


class LoraSpec(Lora, Strict):
    """Train low-rank updates of linear layers (https://arxiv.org/abs/2106.09685)."""

    def form(self) -> LowRank:
        return LowRank(r=self.r, target_modules=self.target_modules)


class HeadAloneSpec(HeadAlone, Strict):
    """Train the head and nothing else."""

    def form(self) -> LowRank:
        return LowRank(r=0, target_modules=())


class FullSpec(Full, Strict):
    """Train every weight of the base: for small bases, at a learning rate of about 2e-5."""

    def form(self) -> Dense:
        return Dense()


class PromptTuningSpec(PromptTuning, Strict):
    """Train rows before each text's embeddings (https://arxiv.org/abs/2104.08691)."""

    def form(self) -> VirtualTokens:
        return VirtualTokens(num_virtual_tokens=self.num_virtual_tokens)


TrainMethod = Annotated[LoraSpec | HeadAloneSpec | FullSpec | PromptTuningSpec, Field(discriminator="type")]
"""What a training may be asked for; each says the form in which its change is stored."""
_METHOD: Final[TypeAdapter[Method]] = TypeAdapter(Method)


def as_fact(asked: TrainMethod) -> Method:
    """The method of a version that was trained as a spec asks."""
    return _METHOD.validate_python(asked.model_dump())
