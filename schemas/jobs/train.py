"""Training: a dataset version and a base model become an adapter with its head, privately where that is asked."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.artifacts import Fraction, Name, SourceUri
from schemas.base import Seed, Strict
from schemas.data.references import TextLabelRef
from schemas.jobs.results import VersionResult
from schemas.model.methods import LoraSpec, TrainMethod
from schemas.model.references import ClassifierRef
from schemas.model.tasks import FeatureRecipe

Kind = Literal["train"]


class FitHead(Strict):
    """Train a head of one's own."""

    type: Literal["fit"] = "fit"
    """Train one."""


class FrozenHead(Strict):
    """Keep another version's head, so that the two can be merged."""

    type: Literal["frozen"] = "frozen"
    """Keep one."""
    model_version: ClassifierRef = Field(examples=["sentiment@champion"])
    """Whose head. In a request also `sentiment@champion`, `sentiment/3` or an id."""


Head = Annotated[FitHead | FrozenHead, Field(discriminator="type")]


class ClassificationTask(Strict):
    """Learn which label a text has."""

    type: Literal["text-classification"] = "text-classification"
    """The task."""
    feature_recipe: FeatureRecipe = "mid-last-mean-v1"
    """How the encoder's states become the head's input."""
    head: Head = FitHead()
    """Where the classifier on top comes from."""


class Privacy(Strict):
    """Differential privacy, add/remove one row (Recipe A: a DP head by full-batch noisy gradient descent)."""

    epsilon: float = Field(gt=0, le=100, examples=[8])
    """The privacy loss that the run may not pass. Unit: nats."""
    delta: float = Field(gt=0, lt=1, examples=[1e-4])
    """The probability with which epsilon may be passed; well below 1 / rows. Unit: probability."""
    max_grad_norm: float = Field(default=0.5, gt=0)
    """Each row's gradient is clipped to this L2 norm. Unit: none."""
    steps: int = Field(default=40, ge=1, le=1000)
    """Noisy gradients over all rows; more steps mean more noise in each. Unit: steps."""
    learning_rate: float | None = Field(default=None, gt=0, examples=[10000])
    """The head's learning rate, on its noisy mean gradient; null: 10,000 at epsilon 3 and above, 3,000 below. Divided
    by steps and max_grad_norm at each step. Unit: none."""
    sampler: Literal["full_batch"] = "full_batch"
    """Which rows a step reads: all of them."""
    accountant: Literal["prv"] = "prv"
    """How the loss is counted (https://arxiv.org/abs/2106.02848)."""


class TrainSpec(Strict):
    """A dataset version and a base model in, an adapter with its head out."""

    kind: Literal["train"] = "train"
    """The kind of job."""
    model: Name = Field(examples=["sentiment"])
    """The registered model that gets a new version; it is made when there is none of that name."""
    base_model: SourceUri = Field(examples=["file:///models/encoder"])
    """A folder or archive with an encoder, its tokenizer and config, as the worker reads it."""
    dataset: TextLabelRef = Field(examples=["reviews@latest"])
    """Its train split is learnt, its validation split measured. In a request also `reviews@latest`, `reviews/3` or an
    id."""
    task: ClassificationTask = ClassificationTask()
    """What an answer is."""
    method: TrainMethod = LoraSpec()
    """How weights are changed; with `privacy` it must be `head`."""
    privacy: Privacy | None = Field(default=None, examples=[{"epsilon": 8, "delta": 1e-4}])
    """Differential privacy for each row of the dataset; null: the run is not private."""
    public_dataset: TextLabelRef | None = Field(default=None, examples=["public-reviews@latest"])
    """Rows that are nobody's secret, to centre a private head's features; null: no centring. Needs `privacy`."""
    max_rows: int | None = Field(default=None, ge=2, examples=[3000])
    """Learn at most so many, drawn with the seed; null: all of the train split. Unit: rows."""
    epochs: int = Field(default=1, ge=1, le=100)
    """How often each row is seen. Unit: passes."""
    batch_size: int = Field(default=16, ge=1, le=1024)
    """So many in each gradient. Unit: rows."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """AdamW's at its highest; it falls linearly to 0. Unit: none."""
    warmup_ratio: Fraction = 0.06
    """The learning rate rises over the first steps. Unit: fraction of all steps."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's decoupled decay. Unit: none."""
    max_length: int = Field(default=64, ge=8, le=512)
    """What lies beyond in a text is not read, here and wherever the version serves. Unit: tokens."""
    checkpoint_steps: int = Field(default=20, ge=1)
    """After so many a checkpoint is kept, from which another worker can go on. Unit: steps."""
    seed: Seed = 0
    """Seeds the order of rows, dropout and a new adapter's weights. Unit: none."""

    @model_validator(mode="after")
    def _something_is_left_to_train(self) -> Self:
        if self.privacy and self.method.type != "head":
            raise ValueError(f"privacy trains a DP head, so method must be `head`, not `{self.method.type}`")
        if self.privacy and self.task.head.type != "fit":
            raise ValueError(f"privacy trains a DP head, so task.head must be `fit`, not `{self.task.head.type}`")
        if self.method.type == "head" and self.task.head.type == "frozen":
            raise ValueError("method is `head` and task.head is `frozen`: nothing is left to train")
        if self.public_dataset and not self.privacy:
            raise ValueError("public_dataset centres a DP head's features: it needs `privacy`")
        return self


class TrainResult(VersionResult):
    kind: Literal["train"] = "train"
    rows: int = Field(ge=1)
    steps: int = Field(ge=1)
    validation_accuracy: Fraction | None = None
    """None: no validation rows, or a private run (a score on private rows is a leak that epsilon does not cover)."""
