"""The outputs of the Open Inference Protocol, task by task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.model.tasks import Task, TextGeneration
from workers.serve.protocols.binary_tensors import pack_floats, pack_texts
from workers.serve.rollout.units import Answered, SignedAnswer


@dataclass(frozen=True)
class Output:
    """One output as the metadata declares it: of how many rows is not known yet."""

    name: str
    datatype: str
    width: tuple[int, ...] = ()
    """Its dimensions beyond that of the rows."""

    def declared(self) -> dict[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": [-1, *self.width]}


@dataclass(frozen=True)
class Tensor:
    """One output of an answer, as JSON or in binary."""

    output: Output
    rows: int
    data: list[Any]

    def binary(self) -> bytes:
        return pack_floats(self.data) if self.output.datatype == "FP32" else pack_texts(self.data)

    def described(self, in_binary: bool) -> dict[str, Any]:
        values = {"parameters": {"binary_data_size": len(self.binary())}} if in_binary else {"data": self.data}
        return {**self.output.declared(), "shape": [self.rows, *self.output.width], **values}


def outputs(task: Task) -> list[Output]:
    own = (
        [Output("text", "BYTES")]
        if isinstance(task, TextGeneration)
        else [Output("label", "BYTES"), Output("scores", "FP32", (len(task.labels),))]
    )
    return [*own, Output("prediction_id", "BYTES")]


def tensors(answer: Answered) -> list[Tensor]:
    """In the order in which the metadata declares them."""
    task, rows = answer.version.graph.identity.task, answer.answers
    own = [_texts(rows)] if isinstance(task, TextGeneration) else [_labels(rows), _scores(rows)]
    columns = [*own, [row.prediction_id for row in rows]]
    return [Tensor(output, len(rows), data) for output, data in zip(outputs(task), columns, strict=True)]


def parameters(task: Task) -> dict[str, Any]:
    """What beside the outputs says how to read them."""
    return {} if isinstance(task, TextGeneration) else {"labels": list(task.labels)}


def _texts(rows: Sequence[SignedAnswer]) -> list[str]:
    return [row.payload.text for row in rows]


def _labels(rows: Sequence[SignedAnswer]) -> list[str]:
    return [row.payload.label for row in rows]


def _scores(rows: Sequence[SignedAnswer]) -> list[float]:
    return [score for row in rows for score in row.payload.scores.values()]
