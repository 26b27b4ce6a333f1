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
from schemas.encodings import Encoding
from schemas.labels import Label

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

    @model_validator(mode="after")
    def _the_value_lies_in_it(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} lies outside its interval, {self.low} to {self.high}")
        return self


# --- curate -------------------------------------------------------------------------------------------------------


class Source(Strict):
    """Where rows come from and which of their columns mean what."""

    uri: SourceUri = Field(examples=["file:///data/reviews.csv"])
    """Where the file is, as the worker reads it: `file://`, `s3://`, `hf://` or `pypi://`."""
    format: Literal["csv", "tsv", "jsonl", "json", "parquet"] | None = Field(default=None, examples=["csv"])
    """How the file is written; null: by its ending."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1, examples=[";"])
    """What stands between two fields of a CSV or TSV file; null: the one with which the header names the columns."""
    encoding: Encoding | None = Field(default=None, examples=["utf-16"])
    """How characters are stored in a text file; null: UTF-8, or UTF-16 where the file's beginning says so."""
    quote: str | None = Field(default=None, max_length=1, examples=[""])
    """What stands around a field with a delimiter in it; empty: nothing does, a quote is a character; null: a double
    quote, where the file's beginning reads best so."""
    header: bool = True
    """Whether the first line names the columns; false: they are named by position, "0", "1", …"""
    text: str = "text"
    """The column with the text."""
    label: str = "label"
    """The column with the label."""
    group: str | None = Field(default=None, examples=["review_id"])
    """A column whose rows of one value never lie in two splits; null: every row is its own group."""
    group_pattern: str | None = Field(default=None, max_length=200, examples=["^(.*)_"])
    """A regular expression whose first capture in the group column is the group; null: the whole value is."""
    label_thresholds: tuple[float, float] | None = Field(default=None, examples=[[2, 4]])
    """[low, high]: a number at or below low becomes `labels[0]`, at or above high `labels[1]`, between them it is
    rejected; null: labels are taken as they are. Unit: the label's own."""
    limit: int | None = Field(default=None, ge=1, examples=[3000])
    """Take at most so many accepted rows, drawn with the seed; null: all of them. Unit: rows."""
    offset: int = Field(default=0, ge=0)
    """Skip so many of that same seeded order first, so that two batches of one source do not overlap. Unit: rows."""


class Splits(Strict):
    """Sizes of validation and test: a fraction of the rows when below 1, else a count of rows. The rest is train."""

    validation: float = Field(default=0.1, ge=0)
    """What a training is judged by while it goes on. Unit: fraction of the rows below 1, else rows."""
    test: float = Field(default=0.2, ge=0)
    """What gates and audits ask, and no training sees. Unit: fraction of the rows below 1, else rows."""
    balanced: bool = False
    """Whether validation and test hold the same number of rows of each label."""

    @model_validator(mode="after")
    def _fractions_leave_rows_to_train_on(self) -> Self:
        if max(self.validation, self.test) < 1 <= self.validation + self.test:
            raise ValueError(
                f"validation {self.validation:g} and test {self.test:g} leave nothing to train on: expected less "
                "than 1 of the rows together"
            )
        return self


class CurateSpec(Strict):
    """Raw rows in, an immutable dataset version out."""

    kind: Literal["curate"] = "curate"
    """The kind of job."""
    dataset: Name = Field(examples=["reviews"])
    """The dataset that gets a new version; it is made when there is none of that name."""
    sources: tuple[Source, ...] = Field(min_length=1, max_length=32)
    """Files whose rows are taken together, in this order."""
    labels: tuple[Label, ...] = Field(default=(), max_length=100, examples=[["negative", "positive"]])
    """Labels in the order of the model's classes, rows of any other are rejected; empty: every label that occurs."""
    min_words: int = Field(default=1, ge=0)
    """Shorter texts are rejected. Unit: words."""
    max_words: int | None = Field(default=None, ge=1, examples=[256])
    """From which length on `long_texts` says what becomes of a text; null: texts may be of any length. Unit: words."""
    long_texts: Literal["keep", "truncate", "reject"] = "keep"
    """What becomes of a text above max_words: it is cut there, or rejected; `keep` needs no max_words, because a model
    reads the first `max_length` tokens of a text anyway."""
    splits: Splits = Splits()
    """How the rows are divided."""
    seed: Seed = 0
    """The same sources and seed give the same rows in the same splits. Unit: none."""
    parent: DatasetRef | None = Field(default=None, examples=["reviews@latest"])
    """A version whose rows keep their splits: new rows go to train, and to another split only where it has none; null:
    the rows of these sources alone. In a request also `reviews@latest`, `reviews/3` or an id."""

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Self:
        if (self.max_words is None) != (self.long_texts == "keep"):
            raise ValueError(
                f"max_words is {self.max_words} and long_texts `{self.long_texts}`: `truncate` and `reject` need a "
                "max_words, and max_words needs one of them"
            )
        if self.max_words is not None and self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is above max_words {self.max_words}")
        return self


class CurateResult(Tolerant):
    kind: Literal["curate"] = "curate"
    dataset: Name
    manifest: ArtifactRef
    digest: Digest
    rows: dict[str, int]
    """Rows per split."""
    split_digests: dict[str, Digest]
    """Of the rows of each split, in whatever order: versions that share a split share its digest."""
    rejected: dict[str, int]
    """Rows per reason."""
    truncated: int = 0
    """Rows whose text was cut, as the spec asked."""
    warnings: tuple[str, ...] = ()
    """What a person should look at, in words: many rows were rejected, labels that no split but train has."""
    rejects: ArtifactRef | None = None
    """JSONL: where each rejected row came from, its reason, and the digest of its text (never the text)."""


# --- train --------------------------------------------------------------------------------------------------------


class Lora(Strict):
    """PEFT's LoraConfig, the part that we serve."""

    r: int = Field(default=8, ge=0, le=256)
    """Rank of the update of each module; 0 trains the head alone. Unit: dimensions."""
    lora_alpha: float = Field(default=16, gt=0)
    """The update is scaled by lora_alpha / r. Unit: none."""
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropped of the adapter's input while training. Unit: fraction."""
    target_modules: tuple[TargetModule, ...] = ("query", "value")
    """The base model's linear layers that get an update, by the ends of their names."""
    use_rslora: bool = False
    """Whether to scale by lora_alpha / √r instead (https://arxiv.org/abs/2312.03732)."""


class FitHead(Strict):
    """Train a head of one's own."""

    type: Literal["fit"] = "fit"
    """Train one."""


class FrozenHead(Strict):
    """Keep another version's head, so that the two can be merged."""

    type: Literal["frozen"] = "frozen"
    """Keep one."""
    model_version: ModelRef = Field(examples=["sentiment@champion"])
    """Whose head. In a request also `sentiment@champion`, `sentiment/3` or an id."""


Head = Annotated[FitHead | FrozenHead, Field(discriminator="type")]


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
    """Of the head, on its noisy mean gradient; null: 10,000 at epsilon 3 and above, 3,000 below. Divided by
    steps and max_grad_norm at each step. Unit: none."""
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
    dataset: DatasetRef = Field(examples=["reviews@latest"])
    """Its train split is learnt, its validation split measured. In a request also `reviews@latest`, `reviews/3` or an
    id."""
    feature_recipe: FeatureRecipe = "mid-last-mean-v1"
    """How the encoder's states become the head's input."""
    lora: Lora = Lora()
    """The adapter."""
    head: Head = FitHead()
    """Where the classifier on top comes from."""
    privacy: Privacy | None = Field(default=None, examples=[{"epsilon": 8, "delta": 1e-4}])
    """Differential privacy for each row of the dataset; null: the run is not private."""
    public_dataset: DatasetRef | None = Field(default=None, examples=["public-reviews@latest"])
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
    """Of the order of rows, of dropout and of a new adapter's weights. Unit: none."""

    @model_validator(mode="after")
    def _a_private_run_trains_a_head(self) -> Self:
        if self.privacy and self.head.type != "fit":
            raise ValueError("privacy trains a DP head, so head must be `fit`, not `frozen`")
        if self.public_dataset and not self.privacy:
            raise ValueError("public_dataset centres a DP head's features: it needs `privacy`")
        return self


class PrivacyLabel(Tolerant):
    """What a version cost its rows: recorded with the version for good."""

    epsilon: float = Field(gt=0)
    delta: float = Field(gt=0, lt=1)
    noise_multiplier: float = Field(gt=0)
    max_grad_norm: float = Field(gt=0)
    steps: int = Field(ge=1)
    sample_rate: Annotated[float, Field(gt=0, le=1)]
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
    rows: int = Field(ge=1)
    steps: int = Field(ge=1)
    validation_accuracy: Fraction | None = None
    """None: no validation rows, or a private run (a score on private rows is a leak that epsilon does not cover)."""
    privacy: PrivacyLabel | None = None


# --- merge --------------------------------------------------------------------------------------------------------

MergeMethod = Literal["cat"]


class MergeSource(Strict):
    """One version of a merge, and its share."""

    model_version: ModelRef = Field(examples=["sentiment/1"])
    """Whose adapter. In a request also `sentiment@champion`, `sentiment/3` or an id."""
    weight: float = 1.0
    """What its update is multiplied by in the sum. Unit: none."""


class MergeSpec(Strict):
    """Versions with one base, one feature recipe and one frozen head in, their weighted sum out."""

    kind: Literal["merge"] = "merge"
    """The kind of job."""
    model: Name = Field(examples=["sentiment"])
    """The registered model that gets the merged version."""
    merge_method: MergeMethod = "cat"
    """`cat`: the updates are summed exactly, and so are their ranks."""
    sources: tuple[MergeSource, ...] = Field(
        min_length=2, max_length=16, examples=[[{"model_version": "sentiment/1"}, {"model_version": "sentiment/2"}]]
    )
    """The versions to sum: of one base, one feature recipe and one frozen head."""

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
    r: int = Field(ge=0)
    """The merged rank: the sum of the sources' ranks."""


# --- export -------------------------------------------------------------------------------------------------------


class ExportSpec(Strict):
    """A model version in, its served graph out."""

    kind: Literal["export"] = "export"
    """The kind of job."""
    model_version: ModelRef = Field(examples=["sentiment@latest"])
    """What to export. In a request also `sentiment@latest`, `sentiment/3` or an id."""
    base_graph: ArtifactRef | None = None
    """A graph already exported for this base, recipe and target modules, put here by the control plane; null: export
    one."""
    parity_rows: int = Field(default=16, ge=2, le=256)
    """Texts on which PyTorch and the graph are compared. Unit: rows."""
    max_abs_diff: float = Field(default=1e-3, gt=0)
    """A greater difference between PyTorch and the graph fails the job. Unit: logits."""


class ExportResult(Tolerant):
    kind: Literal["export"] = "export"
    model_version: UUID
    graph: GraphRef
    max_abs_diff: float = Field(ge=0)
    """Measured, of a logit, over `rows` rows of two different lengths."""
    label_agreement: Fraction
    rows: int
    cpu_flags: tuple[str, ...] = ()
    """Instruction sets of the host where parity was measured."""


# --- evaluate and attack: on the served graph ---------------------------------------------------------------------

Difference = Annotated[float, Field(ge=-1, le=1)]


class Paired(Tolerant):
    """This version beside another one on the same rows: in how many of them something happened to which."""

    against: UUID
    """The other version."""
    graph: GraphRef
    """What was run of it."""
    both: int = Field(ge=0)
    only_this: int = Field(ge=0)
    only_other: int = Field(ge=0)
    neither: int = Field(ge=0)
    difference: Difference
    """This version's share of the rows minus the other's."""
    low: Difference
    high: Difference
    """The difference's 95 % interval for proportions that share their rows (Newcombe 1998, method 10)."""

    @property
    def n(self) -> int:
        """Rows that were compared."""
        return self.both + self.only_this + self.only_other + self.neither

    @model_validator(mode="after")
    def _the_difference_is_that_of_its_counts(self) -> Self:
        counted = (self.only_this - self.only_other) / max(1, self.n)
        if abs(self.difference - counted) > 1e-9 or not self.low <= self.difference <= self.high:
            raise ValueError(f"difference {self.difference} in {self.low} to {self.high}: expected {counted} within")
        return self


class EvaluateSpec(Strict):
    """A served graph and a dataset version's split in, scores out."""

    kind: Literal["evaluate"] = "evaluate"
    """The kind of job."""
    model_version: ModelRef = Field(examples=["sentiment@latest"])
    """What to score. In a request also `sentiment@latest`, `sentiment/3` or an id."""
    graph: GraphRef | None = None
    """What is run; null in a request: the version's latest export, put here by the control plane."""
    dataset: DatasetRef = Field(examples=["reviews@latest"])
    """What it is asked. In a request also `reviews@latest`, `reviews/3` or an id."""
    split: Literal["train", "validation", "test"] = "test"
    """Which of its rows."""
    against: ModelRef | None = Field(default=None, examples=["sentiment@champion"])
    """Another version to score on the same rows, for gates that compare; null: none. In a request also a name; an
    alias of the same model that is not set yet compares nothing."""
    against_graph: GraphRef | None = None
    """What is run of it, put here by the control plane."""
    trained_on: tuple[DatasetRef, ...] = ()
    """Dataset versions whose train rows the version learnt from, and what it is made of did: put here by the control
    plane."""
    batch_size: int = Field(default=32, ge=1, le=512)
    """Asked at once. Unit: rows."""


class ClassScore(Tolerant):
    precision: Fraction
    recall: Fraction
    f1: Fraction
    support: int = Field(ge=0)


class EvaluateResult(Tolerant):
    kind: Literal["evaluate"] = "evaluate"
    model_version: UUID
    dataset: UUID
    split: str
    graph: GraphRef
    """What was run."""
    rows_digest: Digest
    """Of the rows that were asked, in whatever order: versions of a dataset that share a split share it."""
    rows_trained_on: int = Field(ge=0)
    """Those of them whose texts the version was trained on: no gate believes what is said of them."""
    accuracy: Interval
    macro_f1: Fraction
    per_class: dict[str, ClassScore]
    outcomes: ArtifactRef
    """JSONL, a line a row: the digest of its text and label, and whether it was answered right. Never a text."""
    paired: Paired | None = None
    """Rows answered right, beside the version that the spec says `against`."""


AttackRecipe = Literal["deepwordbug"]


class AttackSpec(Strict):
    """A served graph and rows in, how often an attacker turns a right answer wrong out."""

    kind: Literal["attack"] = "attack"
    """The kind of job."""
    model_version: ModelRef = Field(examples=["sentiment@latest"])
    """What to attack. In a request also `sentiment@latest`, `sentiment/3` or an id."""
    graph: GraphRef | None = None
    """What is run; null in a request: the version's latest export, put here by the control plane."""
    dataset: DatasetRef = Field(examples=["reviews@latest"])
    """Where the texts come from. In a request also `reviews@latest`, `reviews/3` or an id."""
    split: Literal["train", "validation", "test"] = "test"
    """Which of its rows."""
    recipe: AttackRecipe = "deepwordbug"
    """How texts are changed: letters swapped, dropped, inserted (https://arxiv.org/abs/1801.04354)."""
    rows: int = Field(default=40, ge=1, le=10_000)
    """Texts to attack, drawn with the seed. Unit: rows."""
    queries_per_word: int = Field(default=10, ge=1)
    """What an attack may ask the model, for each word that the model reads of a text. Unit: queries per word."""
    query_budget: int | None = Field(default=None, ge=1, examples=[500])
    """However long a text is, an attack on it may ask no more; null: no such cap. Unit: queries."""
    against: ModelRef | None = Field(default=None, examples=["sentiment@champion"])
    """Another version to attack on the same rows, for gates that compare; null: none. In a request also a name; an
    alias of the same model that is not set yet compares nothing."""
    against_graph: GraphRef | None = None
    """What is run of it, put here by the control plane."""
    trained_on: tuple[DatasetRef, ...] = ()
    """Dataset versions whose train rows the version learnt from, and what it is made of did: put here by the control
    plane."""
    seed: Seed = 0
    """The same seed draws the same rows and changes. Unit: none."""


class AttackResult(Tolerant):
    kind: Literal["attack"] = "attack"
    model_version: UUID
    dataset: UUID
    split: str
    graph: GraphRef
    """What was attacked."""
    recipe: AttackRecipe
    rows_digest: Digest
    """Of the rows that were drawn, in whatever order."""
    rows_trained_on: int = Field(ge=0)
    """Those of them whose texts the version was trained on: no gate believes what is said of them."""
    queries_per_word: int = Field(ge=1)
    query_budget: int | None = None
    seed: Seed
    succeeded: int = Field(ge=0)
    """Rows whose right answer an attack turned wrong."""
    failed: int = Field(ge=0)
    """Rows on which the recipe had nothing left to try."""
    out_of_budget: int = Field(ge=0)
    """Rows on which it had, but no queries left: nobody knows."""
    skipped: int = Field(ge=0)
    """Rows that were answered wrong before any attack."""
    success_rate: Interval
    """Of the rows that were answered right before the attack; those out of budget count as not broken."""
    worst_success_rate: Interval
    """The same with every row out of budget counted as broken: what gates ask."""
    clean_accuracy: Interval
    accuracy_under_attack: Interval
    """Rows answered right that no attack could turn; one out of budget is none of them."""
    mean_queries: float = Field(ge=0)
    examples: ArtifactRef
    """JSONL: original and perturbed text, label, answers and queries of each row. No API hands it out."""
    paired: Paired | None = None
    """Rows that both versions answer right and that an attack breaks, beside the version that the spec says `against`.
    Out of budget counts against this version: as broken for it, as not broken for the other."""


JobSpec = Annotated[
    CurateSpec | TrainSpec | MergeSpec | ExportSpec | EvaluateSpec | AttackSpec, Field(discriminator="kind")
]
JobResult = Annotated[
    CurateResult | TrainResult | MergeResult | ExportResult | EvaluateResult | AttackResult, Field(discriminator="kind")
]
