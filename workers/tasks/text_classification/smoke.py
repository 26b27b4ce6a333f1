"""A row that every version must be able to answer before it serves, and what an answer must be like."""

from typing import Final

import numpy as np

from schemas.model.tasks import TextClassification
from workers.base.arrays import Floats

SMOKE_ROW: Final = "a quiet film, well told and well played"


class SmokeFailed(Exception):
    """The version loads, but its answer to a built-in row is not usable."""


def check_smoke(logits: Floats, task: TextClassification) -> None:
    width = len(task.labels)
    if logits.shape != (1, width):
        raise SmokeFailed(f"logits have shape {logits.shape}, expected (1, {width}) for labels {task.labels}")
    if not np.isfinite(logits).all():
        raise SmokeFailed("logits are not finite")
