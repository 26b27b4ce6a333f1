"""Exports a model version as its served graph, and refuses a graph that answers differently."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from schemas.artifacts import ArtifactRef
from schemas.jobs.export import ExportResult, ExportSpec
from schemas.model.references import GraphRef
from workers.adapters.files import Adapter, read_adapter
from workers.adapters.reference import check_fits
from workers.base.chat import MEDIA_TYPE as CHAT_TEMPLATE_MEDIA_TYPE
from workers.base.chat import ChatTemplate
from workers.base.gguf import fetch_base
from workers.base.loading import Base
from workers.export import encoder
from workers.export.adapter_conversion import ADAPTER_MEDIA_TYPE, write_onnx_adapter
from workers.export.base_graph import GRAPH_MEDIA_TYPE, Identity, read_identity
from workers.export.decoder import exporter as decoder
from workers.export.parity import Parity, ServedGraph
from workers.export.port import Exporter
from workers.runtime.context import Context
from workers.runtime.errors import JobError

_EXPORTERS: Final[Mapping[str, Exporter]] = {"text-classification": encoder, "text-generation": decoder}
_STEPS: Final = 3
_INSTRUCTION_SETS: Final = ("avx", "amx", "fma", "sse4", "asimd", "sve", "i8mm", "bf16")


def handle(spec: ExportSpec, context: Context) -> ExportResult:
    context.stage("reading the base model")
    folder = fetch_base(spec.model_version.identity.base.uri, context.sources)
    adapter = read_adapter(context.artifacts.fetch(spec.model_version.adapter))
    exporter = _EXPORTERS[adapter.identity.task.type]
    base = exporter.load(folder)
    check_fits(base, adapter)
    template = exporter.chat_template(base, adapter)
    base_graph = _base_graph(exporter, spec, adapter, base, context)
    context.log("base graph: an earlier export's" if spec.base_graph else "base graph: exported")
    context.progress(1, _STEPS, "base graph")
    onnx_adapter = context.workdir / "version.onnx_adapter"
    graph_file = context.artifacts.fetch(base_graph)
    write_onnx_adapter(exporter.graph_inputs(adapter, graph_file), onnx_adapter)
    context.progress(2, _STEPS, "adapter")
    parity = exporter.measure_parity(ServedGraph(graph_file, onnx_adapter), base, adapter, spec.parity_rows)
    context.log(
        f"parity of {spec.precision} on {parity.rows} rows: logits differ by {parity.max_abs_diff:.3g} at most, "
        f"answers agree in {parity.agreement:.2%}"
    )
    _check_parity(parity, spec)
    context.progress(_STEPS, _STEPS, "parity", max_abs_diff=parity.max_abs_diff)
    graph = GraphRef(
        base_graph=base_graph,
        precision=spec.precision,
        adapter=context.artifacts.put_file(onnx_adapter, ADAPTER_MEDIA_TYPE),
        tokenizer=context.artifacts.put_file(folder / "tokenizer.json", "application/json"),
        chat_template=_stored(template, context),
        identity=adapter.identity,
    )
    return _result(spec, graph, parity)


def _base_graph(exporter: Exporter, spec: ExportSpec, adapter: Adapter, base: Base, context: Context) -> ArtifactRef:
    made_for = exporter.graph_identity(base, adapter, spec.model_version.adapter.digest)
    identity = {**made_for, "precision": spec.precision}
    if spec.base_graph is None:
        graph = exporter.build_base_graph(base, adapter, identity, context.workdir)
        return context.artifacts.put_bytes(graph, GRAPH_MEDIA_TYPE)
    _check_identity(read_identity(context.artifacts.fetch(spec.base_graph)), identity)
    return spec.base_graph


def _check_identity(found: Identity, expected: Identity) -> None:
    """The same base and recipe, and inputs for whatever the version changes, or more."""
    for field, value in expected.items():
        there = found.get(field)
        fits = set(value) <= set(there or ()) if field == "target_modules" else there == value
        if not fits:
            raise JobError(f"base_graph was exported for {field} {there}, this version needs {value}")


def _check_parity(parity: Parity, spec: ExportSpec) -> None:
    # `not <=`: a NaN in either model must not pass.
    if not parity.max_abs_diff <= spec.allowed_abs_diff:
        raise JobError(
            f"the graph's logits differ from PyTorch's by {parity.max_abs_diff:.2g}, "
            f"max_abs_diff allows {spec.allowed_abs_diff:.2g}"
        )
    if parity.agreement < spec.min_agreement:
        raise JobError(
            f"{parity.agreement:.1%} of the graph's answers are PyTorch's, min_agreement asks {spec.min_agreement:.1%}"
        )


def _stored(template: ChatTemplate | None, context: Context) -> ArtifactRef | None:
    return context.artifacts.put_bytes(template.source.encode(), CHAT_TEMPLATE_MEDIA_TYPE) if template else None


def _result(spec: ExportSpec, graph: GraphRef, parity: Parity) -> ExportResult:
    return ExportResult(
        model_version=spec.model_version.id,
        graph=graph,
        max_abs_diff=parity.max_abs_diff,
        agreement=parity.agreement,
        rows=parity.rows,
        cpu_flags=cpu_flags(),
    )


def cpu_flags() -> tuple[str, ...]:
    """Instruction sets that change results or speed; empty where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ()
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features"))), [])
    return tuple(sorted(flag for flag in set(flags) if flag.startswith(_INSTRUCTION_SETS)))
