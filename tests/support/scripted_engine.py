"""A graph session whose adapter files say how it behaves: for faults that no real model has."""

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from schemas.serving import Generation, ServedVersion
from tests.support.builders.models import LABELS, graph_ref, identity, served_version
from workers.runtime.artifacts import ArtifactStore
from workers.tasks.text_classification.smoke import SMOKE_ROW

SIGNING_KEY = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IA=="
HANG = "please hang"
"""A row with these words takes longer than any deadline in these tests."""


class ScriptedEngine:
    """Adapter JSON: `favours` (a label's index), `width`, `fault` (load: does not load; raise: on every real row),
    `seconds_per_row`.

    Rows that ask for it hang, raise or get NaN from every version.
    """

    loading = threading.Event()
    """While it is set, adapters load; tests clear it to hold a load back."""
    loading.set()

    def __init__(self, base_graph: Path, tokenizer: Path, max_length: int) -> None:
        self._scripts: dict[str, dict[str, str | float]] = {}

    def load(self, version: str, adapter: Path, max_length: int | None = None) -> None:
        self.loading.wait(60)
        script = json.loads(adapter.read_bytes())
        if script.get("fault") == "load":
            raise ValueError("this adapter is for another base")
        self._scripts[version] = script

    def unload(self, version: str) -> None:
        self._scripts.pop(version, None)

    def logits(self, texts: Sequence[str], version: str) -> npt.NDArray[np.float32]:
        script = self._scripts[version]
        time.sleep(float(script.get("seconds_per_row", 0)) * len(texts))
        if any(HANG in text for text in texts):
            time.sleep(20)
        if any("please raise" in text or (script.get("fault") == "raise" and text != SMOKE_ROW) for text in texts):
            raise RuntimeError("a message that quotes the row: please raise")
        logits = np.zeros((len(texts), int(script.get("width", len(LABELS)))), dtype=np.float32)
        logits[:, int(script["favours"])] = 2.0
        logits[[i for i, text in enumerate(texts) if "please nan" in text]] = np.nan
        return logits


def scripted_version(store: ArtifactStore, number: int, favours: int, **script: str | float) -> ServedVersion:
    script_of_it = json.dumps({"favours": favours, "number": number, **script})
    files = {"base_graph": "base", "adapter": script_of_it, "tokenizer": "tokenizer"}
    stored = {name: store.put_bytes(data.encode(), "application/octet-stream") for name, data in files.items()}
    return served_version(number, graph_ref(number, identity=identity(max_length=32), **stored), model="movies")


def generation_of(number: int, stable: ServedVersion | None, **fields: object) -> Generation:
    base = {"deployment": "reviews", "generation": number, "stable": stable, "signing_key": SIGNING_KEY}
    return Generation.model_validate(base | fields)
