"""What a worker's handler needs to run in this process: an artifact store, files, contexts, and what was reported."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from schemas.artifacts import DatasetRef
from schemas.claims import Checkpoint, CurvePoint, Progress
from schemas.jobs.train import TrainSpec
from schemas.model.references import ModelRef
from tests.support.builders.adapters import store_adapter
from tests.support.builders.graphs import Served, bag_of_words
from tests.support.builders.rows import Row
from tests.support.builders.specs import train_spec
from tests.support.builders.stored import store_dataset, store_rows
from workers.adapters.files import Adapter
from workers.data.rows import Messages, PromptCompletion
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.context import Context, Report
from workers.runtime.sources import Sources


@dataclass
class Workbench:
    """One folder, and a base model where a handler needs one."""

    root: Path
    base: Path | None = None
    reports: list[Report] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.artifacts = ArtifactStore((self.root / "artifacts").as_uri(), self.root / "cache")
        self.files = self.root / "files"
        """What `file://` sources may be read from, beside the folder of the base."""
        self.files.mkdir(parents=True, exist_ok=True)

    @property
    def base_uri(self) -> str:
        assert self.base is not None
        return self.base.as_uri()

    def context(self, checkpoint: Checkpoint | None = None, report: Callable[[Report], None] | None = None) -> Context:
        workdir = self.root / f"attempt-{next(self._numbers)}"
        workdir.mkdir()
        roots = (self.files, self.base.parent) if self.base else (self.files,)
        sources = Sources(self.root / "cache", file_roots=roots)
        return Context(self.artifacts, sources, workdir, report or self.reports.append, checkpoint)

    # --- what is there ----------------------------------------------------------------------------------------------

    def write(self, name: str, content: str | bytes) -> str:
        """The URI of a file to read rows from."""
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path.as_uri()

    def jsonl(self, name: str, rows: Sequence[Mapping[str, object]]) -> str:
        return self.write(name, "".join(json.dumps(row) + "\n" for row in rows))

    def dataset(
        self, labels: Sequence[str] = ("negative", "positive"), name: str = "reviews", **splits: Sequence[Row]
    ) -> DatasetRef:
        return store_dataset(self.artifacts, splits, name, labels=tuple(labels))

    def text_dataset(
        self,
        name: str = "chats",
        operators: Sequence[Mapping[str, object]] = (),
        **splits: Sequence[PromptCompletion | Messages],
    ) -> DatasetRef:
        """A dataset version of rows without labels; `operators`: what its manifest says of how they were made."""
        return store_rows(self.artifacts, self.root, splits, name, operators=operators)

    def train_spec(self, dataset: DatasetRef, **fields: object) -> TrainSpec:
        return train_spec(**{"base_model": self.base_uri, "dataset": dataset, "max_length": 16} | fields)

    def store(self, adapter: Adapter, number: int = 1) -> ModelRef:
        """A version of the base whose adapter was not trained."""
        return store_adapter(self.artifacts, adapter, self.base_uri, number)

    def served(self) -> Served:
        """A version with a graph that needs no base: it counts good and bad words."""
        return bag_of_words(self.artifacts, self.root)

    # --- what was reported ------------------------------------------------------------------------------------------

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
