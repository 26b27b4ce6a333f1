"""How a served graph keeps the weights of its base."""

from typing import Literal

Precision = Literal["fp32", "int4"]
"""In onnxruntime-genai's words: `fp32` keeps them as PyTorch computes with them, `int4` in blocks of 4-bit integers
that share a scale. What a version adds to its base stays in fp32 beside either."""
