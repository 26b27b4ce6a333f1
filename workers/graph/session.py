"""Runs the served graph: one ONNX Runtime session of a base, and any number of versions as inputs to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import onnxruntime as ort

from workers.base.arrays import Logits
from workers.base.tokenizer import TextTokenizer
from workers.graph.batching import plan_batches
from workers.graph.opening import open_graph
from workers.runtime.errors import JobError


@dataclass(frozen=True)
class _Version:
    adapter: ort.LoraAdapter
    tokenizer: TextTokenizer


class GraphSession:
    """Safe to share between threads. A version that is unloaded still finishes the calls that it began."""

    def __init__(self, base_graph: Path, tokenizer: Path, max_length: int, intra_op_threads: int = 1) -> None:
        self._session = open_graph(base_graph, intra_op_threads)
        self._tokenizer_file = tokenizer
        self._max_length = max_length
        self._tokenizers: dict[int, TextTokenizer] = {}
        self._versions: dict[str, _Version] = {}
        self._lock = Lock()

    @property
    def versions(self) -> tuple[str, ...]:
        return tuple(self._versions)

    def load(self, version: str, adapter: Path, max_length: int | None = None) -> None:
        """Make `version` answerable. `max_length` None: the session's; loading the same name again replaces it."""
        lora = ort.LoraAdapter()
        try:
            lora.Load(str(adapter))
        except Exception as error:  # the library raises nothing more special
            raise JobError(f"adapter {adapter.name} is no adapter file of ONNX Runtime: {error}") from error
        with self._lock:
            self._versions[version] = _Version(lora, self._tokenizer(max_length or self._max_length))

    def unload(self, version: str) -> None:
        with self._lock:
            self._versions.pop(version, None)

    def logits(self, texts: Sequence[str], version: str) -> Logits:
        """One row of logits per text, in the order of the version's labels. KeyError: the version is not loaded."""
        loaded = self._versions[version]
        rows = loaded.tokenizer.encode(texts)
        if not rows:
            return self._run(loaded, [[0]])[:0]
        batches = plan_batches([len(row) for row in rows])
        parts = [self._run(loaded, [rows[index] for index in batch]) for batch in batches]
        logits = np.empty((len(rows), parts[0].shape[1]), dtype=np.float32)
        for batch, part in zip(batches, parts, strict=True):
            logits[batch] = part
        return logits

    def _run(self, loaded: _Version, rows: Sequence[Sequence[int]]) -> Logits:
        batch = loaded.tokenizer.pad(rows)
        options = ort.RunOptions()
        options.add_active_adapter(loaded.adapter)
        feed = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        try:
            logits: Logits = self._session.run(["logits"], feed, options)[0]
        except Exception as error:  # its classes have no common base of their own
            raise JobError(f"the graph cannot answer: {error}") from error
        return logits

    def _tokenizer(self, max_length: int) -> TextTokenizer:
        if max_length not in self._tokenizers:
            self._tokenizers[max_length] = TextTokenizer(self._tokenizer_file, max_length)
        return self._tokenizers[max_length]
