"""Training: a dataset version and a base model become an adapter, privately where that is asked."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from schemas.artifacts import DatasetRef, Fraction, Name, SourceUri
from schemas.base import Seed, Strict
from schemas.data.references import TextLabelRef, with_rows
from schemas.jobs.results import VersionResult
from schemas.model.forms import TargetModule
from schemas.model.methods import AllLinear, LoraSpec, TrainMethod
from schemas.model.references import ClassifierRef
from schemas.model.tasks import FeatureRecipe, TextClassification, TextGeneration

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

    ROW_SCHEMAS: ClassVar = TextClassification.ROW_SCHEMAS
    METHODS: ClassVar = ("lora", "head", "full", "prompt")
    TARGET_MODULES: ClassVar[tuple[TargetModule, ...]] = ("query", "value")
    """What LoRA updates where nothing is said."""
    MAX_LENGTH: ClassVar = 512
    """What the served graph reads of a text. Unit: tokens."""
    type: Literal["text-classification"] = "text-classification"
    """The task."""
    feature_recipe: FeatureRecipe = "mid-last-mean-v1"
    """How the encoder's states become the head's input."""
    head: Head = FitHead()
    """Where the classifier on top comes from."""


class GenerationTask(Strict):
    """Learn what comes after a prompt, or what the assistant says in a conversation: nothing of what they ask."""

    ROW_SCHEMAS: ClassVar = TextGeneration.ROW_SCHEMAS
    METHODS: ClassVar = ("lora", "full")
    TARGET_MODULES: ClassVar[AllLinear] = "all-linear"
    """What LoRA updates where nothing is said."""
    MAX_LENGTH: ClassVar = 8192
    """Unit: tokens."""
    type: Literal["text-generation"] = "text-generation"
    """The task."""


TrainTask = Annotated[ClassificationTask | GenerationTask, Field(discriminator="type")]


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
    """A dataset version and a base model in, an adapter out."""

    kind: Literal["train"] = "train"
    """The kind of job."""
    model: Name = Field(examples=["sentiment"])
    """The registered model that gets a new version; it is made when there is none of that name."""
    base_model: SourceUri = Field(examples=["file:///models/encoder"])
    """A folder or archive with an encoder or a decoder, its tokenizer and config, as the worker reads it."""
    task: TrainTask = ClassificationTask()
    """What an answer is."""
    dataset: DatasetRef = Field(examples=["reviews@latest"])
    """Its train split is learnt, its validation split measured; its rows are those that the task takes. In a request
    also `reviews@latest`, `reviews/3` or an id."""
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
    learning_rate: float | None = Field(default=None, gt=0, examples=[0.002])
    """AdamW's at its highest; it falls linearly to 0; null: 2e-3, and 2e-5 for `full`. Unit: none."""
    warmup_ratio: Fraction = 0.06
    """The learning rate rises over the first steps. Unit: fraction of all steps."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's decoupled decay. Unit: none."""
    max_length: int = Field(default=64, ge=8, le=8192)
    """What lies beyond in a text is not read, here and wherever the version serves; a completion that it would cut is
    not learnt. At most 512 for text-classification. Unit: tokens."""
    checkpoint_steps: int = Field(default=20, ge=1)
    """After so many a checkpoint is kept, from which another worker can go on. Unit: steps."""
    seed: Seed = 0
    """Seeds the order of rows, dropout and a new adapter's weights. Unit: none."""

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate at its highest. Unit: none."""
        return self.method.LEARNING_RATE if self.learning_rate is None else self.learning_rate

    @property
    def target_modules(self) -> tuple[TargetModule, ...] | AllLinear:
        """What LoRA updates; nothing for another method."""
        if not isinstance(self.method, LoraSpec):
            return ()
        return self.task.TARGET_MODULES if self.method.target_modules is None else self.method.target_modules

    @field_validator("dataset")
    @classmethod
    def _its_rows_are_what_the_task_takes(cls, ref: DatasetRef, info: ValidationInfo) -> DatasetRef:
        task = info.data.get("task")
        return ref if task is None else with_rows(ref, task.ROW_SCHEMAS)

    @model_validator(mode="after")
    def _the_task_takes_the_method(self) -> Self:
        task = self.task
        if self.privacy and not isinstance(task, ClassificationTask):
            raise ValueError(f"privacy trains a DP head: expected task text-classification, found {task.type}")
        if self.method.type not in task.METHODS:
            raise ValueError(
                f"method is `{self.method.type}`: expected {' or '.join(task.METHODS)} for task {task.type}"
            )
        if self.max_length > task.MAX_LENGTH:
            raise ValueError(f"max_length is {self.max_length}: expected at most {task.MAX_LENGTH} for {task.type}")
        return self

    @model_validator(mode="after")
    def _something_is_left_to_train(self) -> Self:
        head = self.task.head if isinstance(self.task, ClassificationTask) else FitHead()
        if self.privacy and self.method.type != "head":
            raise ValueError(f"privacy trains a DP head, so method must be `head`, not `{self.method.type}`")
        if self.privacy and head.type != "fit":
            raise ValueError(f"privacy trains a DP head, so task.head must be `fit`, not `{head.type}`")
        if self.method.type == "head" and head.type == "frozen":
            raise ValueError("method is `head` and task.head is `frozen`: nothing is left to train")
        if self.public_dataset and not self.privacy:
            raise ValueError("public_dataset centres a DP head's features: it needs `privacy`")
        return self


class TrainResult(VersionResult):
    kind: Literal["train"] = "train"
    rows: int = Field(ge=1)
    steps: int = Field(ge=1)
    validation_accuracy: Fraction | None = None
    """None: no validation rows, another task, or a private run (a score on private rows is a leak that epsilon does not
    cover)."""
    validation_loss: float | None = Field(default=None, ge=0)
    """Mean cross-entropy of a token of the validation rows' completions; null: none, or another task. Unit: nats."""
    completions_left_out: int = Field(default=0, ge=0)
    """Completions that were not learnt, because `max_length` would have cut them. Unit: completions."""
