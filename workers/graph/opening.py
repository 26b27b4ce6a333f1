"""Opens an ONNX graph for this machine, after a look into its file."""

from pathlib import Path

import onnxruntime as ort

from workers.graph.file import check_graph_file
from workers.runtime.errors import JobError


def open_graph(graph: Path, intra_op_threads: int) -> ort.InferenceSession:
    check_graph_file(graph)
    options = ort.SessionOptions()
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # each version's rank differs from the placeholder's: not worth a warning
    # Other processes share our cores: waiting threads must sleep, not spin.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its classes have no common base of their own
        raise JobError(f"graph {graph.name} cannot be loaded: {error}") from error
