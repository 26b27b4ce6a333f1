"""Spec and Result of each job kind, and the closed unions of them.

A spec is complete: a worker that holds it needs no database. Where a spec names a dataset version or a model
version, a client may write its name (`reviews@latest`, `reviews/3`, `sentiment@champion`, an id) and the control plane
puts the whole reference there before the job is recorded.
"""

from typing import Annotated, Final, Literal, Self, get_args
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from schemas.artifacts import (
    ArtifactRef,
    DatasetRef,
    Digest,
    FeatureRecipe,
    Fraction,
    GraphRef,
    ModelRef,
    Name,
    SourceUri,
    TargetModule,
)
from schemas.base import Strict, Tolerant

JobKind = Literal["curate", "train", "evaluate", "attack", "merge", "export"]
JOB_KINDS: Final[tuple[JobKind, ...]] = get_args(JobKind)
Phase = Literal["Pending", "Running", "Succeeded", "Failed", "Cancelled"]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Interval(Tolerant):
    """A proportion with its 95 % Wilson score interval (Wilson, JASA 1927)."""

    value: Fraction
    low: Fraction
    high: Fraction
    n: int = Field(ge=0)


# --- curate -------------------------------------------------------------------------------------------------------


class Source(Strict):
    """Where rows come from and which of their columns mean what."""

    uri: SourceUri
    format: Literal["jsonl", "csv", "tsv", "parquet"] | None = None
    # None: by the file's ending
    header: bool = True
    # False: columns are named by position, "0", "1", …
    text: str = "text"
    label: str = "label"
    group: str | None = None
    # rows of one group never lie in two splits; None: every row is its own group
    group_pattern: str | None = Field(default=None, max_length=200)
    # a regular expression whose first capture of the group column is the group, such as "^(.*)_" for reviews' sentences
    label_thresholds: tuple[float, float] | None = None
    # (low, high): a numeric label becomes `labels[0]` at or below low, `labels[1]` at or above high, else rejected
    limit: int | None = Field(default=None, ge=1)
    # take at most so many accepted rows, drawn with the seed
    offset: int = Field(default=0, ge=0)
    # skip so many rows of that same seeded order first, so that two batches of one source do not overlap


class Splits(Strict):
    """Sizes of validation and test: a fraction of the rows when below 1, else a count of rows. The rest is train."""

    validation: float = Field(default=0.1, ge=0)
    test: float = Field(default=0.2, ge=0)
    balanced: bool = False
    # True: validation and test hold the same number of rows of each label


class CurateSpec(Strict):
    """Raw rows in, an immutable dataset version out."""

    kind: Literal["curate"] = "curate"
    dataset: Name
    sources: tuple[Source, ...] = Field(min_length=1, max_length=32)
    labels: tuple[str, ...] = Field(default=(), max_length=100)
    # empty: every label seen; else others are rejected
    min_words: int = Field(default=1, ge=0)
    max_words: int = Field(default=256, ge=1)
    splits: Splits = Splits()
    seed: Seed = 0
    parent: DatasetRef | None = None
    # the parent's rows keep their splits; new rows are added to train, and to another split only if it lacks that

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Self:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is above max_words {self.max_words}")
        return self


class CurateResult(Tolerant):
    kind: Literal["curate"] = "curate"
    dataset: Name
    manifest: ArtifactRef
    digest: Digest
    rows: dict[str, int]
    """Rows per split."""
    rejected: dict[str, int]
    """Rows per reason."""
    rejects: ArtifactRef | None = None
    """JSONL: where each rejected row came from, its reason, and the digest of its text (never the text)."""


# --- train --------------------------------------------------------------------------------------------------------


class Lora(Strict):
    """PEFT's LoraConfig, the part that we serve. `r = 0` trains the head alone."""

    r: int = Field(default=8, ge=0, le=256)
    lora_alpha: float = Field(default=16, gt=0)
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: tuple[TargetModule, ...] = ("query", "value")
    use_rslora: bool = False


class FitHead(Strict):
    """Train a head of one's own."""

    type: Literal["fit"] = "fit"


class FrozenHead(Strict):
    """Keep another version's head, so that the two can be merged."""

    type: Literal["frozen"] = "frozen"
    model_version: ModelRef


Head = Annotated[FitHead | FrozenHead, Field(discriminator="type")]


class Privacy(Strict):
    """Differential privacy, add/remove one row (Recipe A: a DP head by full-batch noisy gradient descent)."""

    epsilon: float = Field(gt=0, le=100)
    delta: float = Field(gt=0, lt=1)
    max_grad_norm: float = Field(default=0.5, gt=0)
    steps: int = Field(default=40, ge=1, le=1000)
    learning_rate: float | None = Field(default=None, gt=0)
    # None: 10,000 at epsilon 3 and above, 3,000 below, scaled as knowledge/ml-training.md measured them
    sampler: Literal["full_batch"] = "full_batch"
    accountant: Literal["prv"] = "prv"


class TrainSpec(Strict):
    """A dataset version and a base model in, an adapter with its head out."""

    kind: Literal["train"] = "train"
    model: Name
    base_model: SourceUri
    dataset: DatasetRef
    feature_recipe: FeatureRecipe = "mid-last-mean-v1"
    lora: Lora = Lora()
    head: Head = FitHead()
    privacy: Privacy | None = None
    # None: not private
    public_dataset: DatasetRef | None = None
    # rows that are nobody's secret, to centre a DP head's features; None: no centring
    max_rows: int | None = Field(default=None, ge=2)
    epochs: int = Field(default=1, ge=1, le=100)
    batch_size: int = Field(default=16, ge=1, le=1024)
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup_ratio: Fraction = 0.06
    weight_decay: float = Field(default=0.0, ge=0)
    max_length: int = Field(default=64, ge=8, le=512)
    checkpoint_steps: int = Field(default=20, ge=1)
    seed: Seed = 0

    @model_validator(mode="after")
    def _a_private_run_trains_a_head(self) -> Self:
        if self.privacy and self.head.type != "fit":
            raise ValueError("privacy trains a DP head, so head must be `fit`, not `frozen`")
        if self.public_dataset and not self.privacy:
            raise ValueError("public_dataset centres a DP head's features: it needs `privacy`")
        return self


class PrivacyLabel(Tolerant):
    """What a version cost its rows: recorded with the version for good."""

    epsilon: float
    delta: float
    noise_multiplier: float
    max_grad_norm: float
    steps: int
    sample_rate: float
    accountant: str
    unit: Literal["row"] = "row"
    not_charged: tuple[str, ...]
    """What the epsilon does not cover, in words."""


class VersionResult(Tolerant):
    """What every job that makes a model version answers."""

    model: Name
    adapter: ArtifactRef
    base_model: SourceUri
    base_digest: Digest
    feature_recipe: FeatureRecipe
    target_modules: tuple[TargetModule, ...]
    head_digest: Digest
    labels: tuple[str, ...]
    max_length: int


class TrainResult(VersionResult):
    kind: Literal["train"] = "train"
    rows: int
    steps: int
    validation_accuracy: float | None = None
    # None: no validation rows, or a private run (a score on private rows is a leak that epsilon does not cover)
    privacy: PrivacyLabel | None = None


# --- merge --------------------------------------------------------------------------------------------------------

MergeMethod = Literal["cat"]


class MergeSource(Strict):
    model_version: ModelRef
    weight: float = Field(default=1.0, allow_inf_nan=False)


class MergeSpec(Strict):
    """Versions with one base, one feature recipe and one frozen head in, their weighted sum out."""

    kind: Literal["merge"] = "merge"
    model: Name
    merge_method: MergeMethod = "cat"
    sources: tuple[MergeSource, ...] = Field(min_length=2, max_length=16)

    @field_validator("merge_method", mode="before")
    @classmethod
    def _linear_is_refused_with_its_reason(cls, value: object) -> object:
        if value == "linear":
            raise ValueError(
                "`linear` averages the LoRA factors A and B separately, so products of different adapters' factors "
                "appear and the result is not the weighted sum of their updates; use `cat`, which is exact"
            )
        return value

    @model_validator(mode="after")
    def _sources_can_be_summed(self) -> Self:
        refs = [source.model_version for source in self.sources]
        for field, advice in (
            ("base_digest", "merge versions of one base model"),
            ("feature_recipe", "merge versions of one feature recipe"),
            ("head_digest", "train them with `head: {type: frozen, model_version: …}` of one version"),
        ):
            seen = {getattr(ref, field) for ref in refs}
            if len(seen) > 1:
                names = ", ".join(f"{ref.model}/{ref.version}" for ref in refs)
                raise ValueError(f"{names} differ in {field}: {advice}")
        return self


class MergeResult(VersionResult):
    kind: Literal["merge"] = "merge"
    r: int
    """The merged rank: the sum of the sources' ranks."""


# --- export -------------------------------------------------------------------------------------------------------


class ExportSpec(Strict):
    """A model version in, its served graph out."""

    kind: Literal["export"] = "export"
    model_version: ModelRef
    base_graph: ArtifactRef | None = None
    # a graph already exported for (base, recipe, target modules), put here by the control plane; None: export it
    parity_rows: int = Field(default=16, ge=2, le=256)
    max_abs_diff: float = Field(default=1e-3, gt=0)
    # the greatest difference of a logit between PyTorch and the graph


class ExportResult(Tolerant):
    kind: Literal["export"] = "export"
    model_version: UUID
    graph: GraphRef
    max_abs_diff: float
    """Measured, of a logit, over `rows` rows of two different lengths."""
    label_agreement: Fraction
    rows: int
    cpu_flags: tuple[str, ...] = ()
    """Instruction sets of the host where parity was measured."""


# --- evaluate and attack: on the served graph ---------------------------------------------------------------------


class EvaluateSpec(Strict):
    """A served graph and a dataset version's split in, scores out."""

    kind: Literal["evaluate"] = "evaluate"
    model_version: ModelRef
    graph: GraphRef | None = None
    # None in a request: the version's latest export, put here by the control plane
    dataset: DatasetRef
    split: Literal["train", "validation", "test"] = "test"
    batch_size: int = Field(default=32, ge=1, le=512)


class ClassScore(Tolerant):
    precision: Fraction
    recall: Fraction
    f1: Fraction
    support: int


class EvaluateResult(Tolerant):
    kind: Literal["evaluate"] = "evaluate"
    model_version: UUID
    dataset: UUID
    split: str
    rows_digest: Digest | None = None
    """Of the rows that were asked, in whatever order: versions of a dataset that share a split share it."""
    accuracy: Interval
    macro_f1: Fraction
    per_class: dict[str, ClassScore]


AttackRecipe = Literal["deepwordbug"]


class AttackSpec(Strict):
    """A served graph and rows in, how often an attacker turns a right answer wrong out."""

    kind: Literal["attack"] = "attack"
    model_version: ModelRef
    graph: GraphRef | None = None
    # None in a request: the version's latest export
    dataset: DatasetRef
    split: Literal["train", "validation", "test"] = "test"
    recipe: AttackRecipe = "deepwordbug"
    rows: int = Field(default=40, ge=1, le=10_000)
    query_budget: int = Field(default=200, ge=1)
    seed: Seed = 0


class AttackResult(Tolerant):
    kind: Literal["attack"] = "attack"
    model_version: UUID
    dataset: UUID
    recipe: AttackRecipe
    rows_digest: Digest | None = None
    """Of the rows that were attacked, in whatever order."""
    query_budget: int | None = None
    """Per row: more of it succeeds more often, so only equal ones compare."""
    success_rate: Interval
    """Of the rows that were answered right before the attack."""
    clean_accuracy: Interval
    accuracy_under_attack: Interval
    mean_queries: float
    examples: ArtifactRef
    """JSONL: original and perturbed text, label, answers and queries of each row. No API hands it out."""


JobSpec = Annotated[
    CurateSpec | TrainSpec | MergeSpec | ExportSpec | EvaluateSpec | AttackSpec, Field(discriminator="kind")
]
JobResult = Annotated[
    CurateResult | TrainResult | MergeResult | ExportResult | EvaluateResult | AttackResult, Field(discriminator="kind")
]


# None: nothing to do


# new lines since the last heartbeat
