"""What a version's answer is, by Hugging Face's pipeline tags, with all that decides it beyond the weights."""

from typing import Literal

from pydantic import Field

from schemas.artifacts import Digest
from schemas.base import Tolerant

FeatureRecipe = Literal["mid-last-mean-v1"]
"""How an encoder's states become the head's input, as `workers.tasks.text_classification.features` computes it."""


class TextClassification(Tolerant):
    """One label of a text, with a score for each."""

    type: Literal["text-classification"] = "text-classification"
    """The task."""
    labels: tuple[str, ...] = Field(min_length=1, max_length=1000)
    """In the order of the head's outputs."""
    feature_recipe: FeatureRecipe
    """How the encoder's states become the head's input."""
    head_digest: Digest
    """Over the head's W and b and its labels: equal digests mean one frozen head."""


Task = TextClassification
