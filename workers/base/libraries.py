"""What a job loads that runs a base model in PyTorch."""

from typing import Final

ENCODER: Final = ("torch", "transformers.models.auto.modeling_auto", "transformers.models.bert.modeling_bert")
"""transformers, as it loads a BERT-like encoder."""
