"""Exports a model version as its served graph, and refuses a graph that answers differently."""

from pathlib import Path
from typing import Final

from schemas.artifacts import ArtifactRef
from schemas.jobs.export import ExportResult, ExportSpec
from schemas.model.references import GraphRef
from workers.adapters.files import Adapter, read_adapter
from workers.adapters.reference import check_fits, fold
from workers.base.loading import Base, load_base
from workers.export.onnx import (
    ADAPTER_MEDIA_TYPE,
    GRAPH_MEDIA_TYPE,
    Identity,
    export_base_graph,
    graph_identity,
    graph_inputs,
    read_identity,
    write_onnx_adapter,
)
from workers.export.parity import Parity, ServedGraph, measure_parity
from workers.runtime.context import Context
from workers.runtime.errors import JobError

_STEPS: Final = 3
_INSTRUCTION_SETS: Final = ("avx", "amx", "fma", "sse4", "asimd", "sve", "i8mm", "bf16")


def handle(spec: ExportSpec, context: Context) -> ExportResult:
    context.stage("reading the base model")
    folder = context.sources.fetch(spec.model_version.identity.base.uri)
    adapter = read_adapter(context.artifacts.fetch(spec.model_version.adapter))
    base = load_base(folder)
    check_fits(base, adapter)
    base_graph = _base_graph(spec, adapter, base, context)
    context.log("base graph: an earlier export's" if spec.base_graph else "base graph: exported")
    context.progress(1, _STEPS, "base graph")
    onnx_adapter = context.workdir / "version.onnx_adapter"
    write_onnx_adapter(graph_inputs(adapter), onnx_adapter)
    context.progress(2, _STEPS, "adapter")
    served = ServedGraph(context.artifacts.fetch(base_graph), onnx_adapter)
    parity = measure_parity(served, base, adapter, spec.parity_rows)
    context.log(
        f"parity on {parity.rows} rows: logits differ by {parity.max_abs_diff:.3g} at most, "
        f"labels agree on {parity.label_agreement:.2%}"
    )
    _check_parity(parity, spec)
    context.progress(_STEPS, _STEPS, "parity", max_abs_diff=parity.max_abs_diff)
    return _result(spec, context, adapter, (base_graph, folder, onnx_adapter), parity)


def _base_graph(spec: ExportSpec, adapter: Adapter, base: Base, context: Context) -> ArtifactRef:
    identity = graph_identity(base, adapter, spec.model_version.adapter.digest)
    if adapter.identity.form.shared_inputs() is None:
        fold(base, adapter)
    if spec.base_graph is None:
        return context.artifacts.put_bytes(export_base_graph(base, identity), GRAPH_MEDIA_TYPE)
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
    if not parity.max_abs_diff <= spec.max_abs_diff:
        raise JobError(
            f"the graph's logits differ from PyTorch's by {parity.max_abs_diff:.2g}, "
            f"max_abs_diff allows {spec.max_abs_diff:.2g}"
        )


def _result(
    spec: ExportSpec, context: Context, adapter: Adapter, files: tuple[ArtifactRef, Path, Path], parity: Parity
) -> ExportResult:
    base_graph, folder, onnx_adapter = files
    return ExportResult(
        model_version=spec.model_version.id,
        graph=GraphRef(
            base_graph=base_graph,
            adapter=context.artifacts.put_file(onnx_adapter, ADAPTER_MEDIA_TYPE),
            tokenizer=context.artifacts.put_file(folder / "tokenizer.json", "application/json"),
            identity=adapter.identity,
        ),
        max_abs_diff=parity.max_abs_diff,
        label_agreement=parity.label_agreement,
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
