"""Runs a decoder graph: one session of a base, versions as rows of its tables, texts as rows of a batch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from workers.base.arrays import Floats, Logits
from workers.graph.decoder.form import INPUT_IDS, LOGITS, MASK, PLACES, SLOTS, DecoderForm
from workers.graph.decoder.tables import AdapterTables
from workers.graph.opening import open_graph
from workers.runtime.errors import JobError

Ids = npt.NDArray[np.int64]


class DecoderSession:
    """Safe to share between threads. A version that is unloaded still finishes the texts that it began."""

    def __init__(self, graph: Path, intra_op_threads: int = 1) -> None:
        self._session = open_graph(graph, intra_op_threads)
        self.form = DecoderForm.read(self._session.get_modelmeta().custom_metadata_map, graph.name)
        self.tables = AdapterTables(self.form.targets)
        self._outputs = [LOGITS, *self.form.present()]

    @property
    def versions(self) -> tuple[str, ...]:
        return self.tables.versions

    def load(self, version: str, adapter: Path) -> None:
        """Make `version` answerable; loading the same name again replaces it."""
        try:
            found = ort.AdapterFormat.read_adapter(str(adapter)).get_parameters()
            factors = {name: value.numpy() for name, value in found.items()}
        except Exception as error:  # the library raises nothing more special
            raise JobError(f"adapter {adapter.name} is no adapter file of ONNX Runtime: {error}") from error
        try:
            self.tables.load(version, factors)
        except ValueError as error:
            raise JobError(f"adapter {adapter.name} is for another graph: {error}") from error

    def unload(self, version: str) -> None:
        self.tables.unload(version)

    def no_past(self, rows: int) -> list[ort.OrtValue]:
        """What attention has seen before the first token."""
        nothing = np.zeros((rows, self.form.kv_heads, 0, self.form.head_size), np.float32)
        return [ort.OrtValue.ortvalue_from_numpy(nothing) for _ in self.form.past()]

    def run(
        self, ids: Ids, mask: Ids, slots: Sequence[int], places: Ids, past: Sequence[ort.OrtValue]
    ) -> tuple[Logits, list[ort.OrtValue]]:
        """Logits at `places`, pairs of row and column, and what attention has seen now."""
        arrays = {INPUT_IDS: ids, MASK: mask, SLOTS: np.asarray(slots, np.int64), PLACES: places}
        feed = dict(self.tables.inputs)
        feed |= {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
        feed |= dict(zip(self.form.past(), past, strict=True))
        try:
            logits, *present = self._session.run_with_ort_values(self._outputs, feed)
        except Exception as error:  # its classes have no common base of their own
            raise JobError(f"the graph cannot answer: {error}") from error
        return logits.numpy(), present


def numbers(value: ort.OrtValue) -> Floats:
    found: Floats = value.numpy()
    return found
