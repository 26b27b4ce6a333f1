"""Builds a base's decoder graph, which keeps what attention has seen, with onnxruntime-genai's builder."""

import contextlib
import importlib
import io
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import onnx

from schemas.model.precision import Precision
from workers.base.folder import INDEX
from workers.runtime.errors import JobError

_READ: Final = ("tokenizer.json", INDEX, "*.safetensors")
"""All that the builder gets to see of a base's folder, beside its configuration."""
_OPTIONS: Final[Mapping[Precision, tuple[str, ...]]] = {"fp32": (), "int4": ("block_size=32", "accuracy_level=4")}
"""How weights are rounded: 32 of them share a scale, and meet activations that are rounded to 8 bits as they come."""


def build_graph(folder: Path, architecture: str, precision: Precision, workdir: Path) -> Any:
    """Nothing is asked of a network, and the library's telemetry is off before it is loaded."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    importlib.import_module("onnxruntime_genai").disable_telemetry_events()
    builder = importlib.import_module("onnxruntime_genai.models.builder")
    logging.getLogger("onnxruntime.quantization").setLevel(logging.WARNING)  # it tells of every node
    with tempfile.TemporaryDirectory(dir=workdir) as temporary:
        built = Path(temporary, "built")
        asked = ("", str(_seen(folder, Path(temporary, "base"))), str(built), precision, "cpu", str(built / "cache"))
        options = ["hf_token=false", *_OPTIONS[precision]]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                builder.create_model(*asked, **builder.parse_extra_options(*asked, options))
            except MemoryError:
                raise
            except NotImplementedError as error:
                raise JobError(f"the builder of decoder graphs does not know {architecture}") from error
            except Exception as error:  # it checks little: what it cannot do fails wherever it is first met
                reason = f"{type(error).__name__}: {error}"
                raise JobError(f"no decoder graph can be built of {architecture}: {reason}") from error
        return onnx.load(str(built / "model.onnx"))


def _seen(folder: Path, to: Path) -> Path:
    """The base without its tokenizer's settings, and with an end of text: the builder wants to copy one into a file.

    Neither is anything to the graph; whoever serves it has them from the version.
    """
    to.mkdir()
    for pattern in _READ:
        for file in folder.glob(pattern):
            (to / file.name).symlink_to(file.resolve())
    config = json.loads((folder / "config.json").read_bytes())
    config["eos_token_id"] = config.get("eos_token_id") or 0
    (to / "config.json").write_text(json.dumps(config))
    (to / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return to
