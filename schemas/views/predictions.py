"""What a gateway answers to `POST /v1/predict`."""

from uuid import UUID

from schemas.base import View
from schemas.serving import Arm


class Prediction(View):
    label: str
    scores: dict[str, float]
    """Label to probability."""
    prediction_id: str
    """Bring it back with the label that was right: `POST /v1/feedback`."""


class PredictAnswer(View):
    model: str
    version: int
    model_version: UUID
    variant: Arm
    rollout_id: UUID | None
    request_id: str
    predictions: list[Prediction]
    """In the order of the texts."""
