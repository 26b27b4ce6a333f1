"""A tiny real base model, planted data and contexts for handlers: what the workers' tests stand on."""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.artifacts import ArtifactRef, DatasetManifest, DatasetPart, DatasetRef, ModelRef
from schemas.claims import Checkpoint, CurvePoint, Progress
from schemas.jobs.results import VersionResult
from schemas.jobs.train import TrainSpec
from workers.model.adapter import (
    MEDIA_TYPE,
    Adapter,
    AdapterMetadata,
    Factors,
    Floats,
    Head,
    head_digest,
    serialize_adapter,
)
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.context import Context, Report
from workers.runtime.sources import Sources

GOOD = ("fine", "lovely", "superb", "warm", "witty")
BAD = ("awful", "boring", "cold", "dull", "weak")
FILLER = ("a", "and", "film", "it", "movie", "plot", "scene", "the", "this", "was")

TINY_HIDDEN = 32

Row = tuple[str, str]


def planted_rows(count: int, seed: int = 0) -> list[Row]:
    """Texts of filler and three telling words; both labels equally often."""
    generator = random.Random(seed)
    rows = []
    for number in range(count):
        label, words = (("negative", BAD), ("positive", GOOD))[number % 2]
        text = generator.choices(FILLER, k=generator.randint(1, 4)) + generator.choices(words, k=3)
        generator.shuffle(text)
        rows.append((" ".join(text), label))
    return rows


def build_tiny_base(folder: Path) -> Path:
    """A random 2-layer BERT with a tokenizer of its own."""
    import torch
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordPiece
    from transformers import BertConfig, BertModel

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *GOOD, *BAD, *FILLER]
    words += [piece for letter in letters for piece in (letter, f"##{letter}") if piece not in words]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    # As MiniLM's file: it brings truncation and padding of its own, which must not be used.
    tokenizer.enable_truncation(12)
    tokenizer.enable_padding(length=12)
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=TINY_HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,  # far from the identity, so that a wrong layer or a lost update shows in the logits
    )
    BertModel(config).save_pretrained(folder)
    return folder


def random_adapter(base_digest: str, r: int, seed: int, head_seed: int = 0, **metadata: object) -> Adapter:
    """LoRA factors of the tiny base's queries and values, large enough to turn answers."""
    settings = {
        "base_digest": base_digest,
        "feature_recipe": "mid-last-mean-v1",
        "r": r,
        "lora_alpha": 16.0,
        "use_rslora": False,
        "target_modules": ("query", "value"),
        "labels": ("negative", "positive"),
        "max_length": 16,
    } | metadata
    targets = cast(tuple[str, ...], settings["target_modules"])
    generator = np.random.default_rng(seed)
    paths = [f"encoder.layer.{layer}.attention.self.{target}" for layer in range(2) for target in targets]
    factors = {path: Factors(_normal(generator, r, TINY_HIDDEN), _normal(generator, TINY_HIDDEN, r)) for path in paths}
    head = Head(_normal(np.random.default_rng(head_seed), 2, 2 * TINY_HIDDEN), np.zeros(2, np.float32))
    return Adapter(AdapterMetadata.model_validate(settings), factors if r else {}, head)


def _normal(generator: np.random.Generator, rows: int, columns: int) -> Floats:
    return (0.3 * generator.normal(size=(rows, columns))).astype(np.float32)


@dataclass
class Workbench:
    """What a handler's test needs: an artifact store, datasets, contexts and what they reported."""

    root: Path
    base: Path
    reports: list[Report] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def artifacts(self) -> ArtifactStore:
        return ArtifactStore(f"file://{self.root}/artifacts", self.root / "cache")

    @property
    def base_uri(self) -> str:
        return f"file://{self.base}"

    def context(self, checkpoint: Checkpoint | None = None, report: Callable[[Report], None] | None = None) -> Context:
        workdir = self.root / f"attempt-{next(self._numbers)}"
        workdir.mkdir()
        sources = Sources(self.root / "cache", file_roots=(self.base.parent,))
        return Context(self.artifacts, sources, workdir, report or self.reports.append, checkpoint)

    def dataset(
        self, labels: Sequence[str] = ("negative", "positive"), name: str = "reviews", **splits: Sequence[Row]
    ) -> DatasetRef:
        parts = tuple(
            DatasetPart(split=split, rows=len(rows), artifact=self._parquet(rows))  # type: ignore[arg-type]
            for split, rows in splits.items()
        )
        digest = f"sha256:{0:064x}"
        manifest = DatasetManifest(
            digest=digest,
            columns={"text": "string", "label": "string"},
            labels=tuple(labels),
            parts=parts,
            operators=(),
        )
        ref = self.artifacts.put_bytes(manifest.model_dump_json().encode(), "application/json")
        return DatasetRef(id=uuid4(), dataset=name, version=1, digest=digest, manifest=ref)

    def train_spec(self, dataset: DatasetRef, **fields: object) -> TrainSpec:
        settings = {"model": "sentiment", "base_model": self.base_uri, "dataset": dataset, "max_length": 16} | fields
        return TrainSpec.model_validate(settings)

    def version(self, result: VersionResult, number: int = 1) -> ModelRef:
        """The version that the control plane would register for a result."""
        return ModelRef(
            id=UUID(int=number),
            model=result.model,
            version=number,
            adapter=result.adapter,
            base_model=result.base_model,
            base_digest=result.base_digest,
            feature_recipe=result.feature_recipe,
            head_digest=result.head_digest,
            labels=result.labels,
            max_length=result.max_length,
        )

    def store(self, adapter: Adapter, number: int = 1) -> ModelRef:
        """A version whose adapter was not trained."""
        metadata = adapter.metadata
        return ModelRef(
            id=UUID(int=number),
            model="sentiment",
            version=number,
            adapter=self.artifacts.put_bytes(serialize_adapter(adapter), MEDIA_TYPE),
            base_model=self.base_uri,
            base_digest=metadata.base_digest,
            feature_recipe=metadata.feature_recipe,
            head_digest=head_digest(adapter.head, metadata.labels),
            labels=metadata.labels,
            max_length=metadata.max_length,
        )

    @property
    def progress(self) -> list[Progress]:
        """What was counted; a stage that begins counts nothing."""
        return [report for report in self.reports if isinstance(report, Progress) and report.total]

    @property
    def curve(self) -> list[CurvePoint]:
        return [report for report in self.reports if isinstance(report, CurvePoint)]

    @property
    def checkpoints(self) -> list[Checkpoint]:
        return [report for report in self.reports if isinstance(report, Checkpoint)]

    @property
    def log(self) -> list[str]:
        return [report for report in self.reports if isinstance(report, str)]

    def _parquet(self, rows: Sequence[Row]) -> ArtifactRef:
        path = self.root / f"part-{next(self._numbers)}.parquet"
        schema = pa.schema([("text", pa.string()), ("label", pa.string())])
        pq.write_table(pa.table([[text for text, _ in rows], [label for _, label in rows]], schema=schema), path)
        return self.artifacts.put_file(path, "application/vnd.apache.parquet")
