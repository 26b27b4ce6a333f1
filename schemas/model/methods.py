"""How a version's weights were changed, with PEFT's own names: as a fact of the version, and as a spec asks for it."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, TypeAdapter

from schemas.base import Strict, Tolerant

TargetModule = Annotated[str, StringConstraints(pattern=r"^[a-z_]+(\.[a-z_]+)*$")]
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


class Merged(Tolerant):
    """Not trained: made of the updates of other versions, which are the version's parents."""

    type: Literal["merged"] = "merged"
    """The method."""
    merge_method: MergeMethod
    """How they were put together."""


Method = Annotated[Lora | HeadAlone | Merged, Field(discriminator="type")]


class LoraSpec(Lora, Strict):
    """Train low-rank updates of linear layers (https://arxiv.org/abs/2106.09685)."""


class HeadAloneSpec(HeadAlone, Strict):
    """Train the head and nothing else."""


TrainMethod = Annotated[LoraSpec | HeadAloneSpec, Field(discriminator="type")]
"""What a training may be asked for."""
_METHOD: Final[TypeAdapter[Method]] = TypeAdapter(Method)


def as_fact(asked: TrainMethod) -> Method:
    """The method of a version that was trained as a spec asks."""
    return _METHOD.validate_python(asked.model_dump())
