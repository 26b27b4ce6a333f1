"""SmolLM2-135M-Instruct with three adapters in shared batches: every token is the one that PyTorch and PEFT write.

Not in CI, for three exports and 600 texts of a real base take many minutes:
`make journeys ARGS="-rA -k real_base"`, which shows what was counted.
"""

import logging
from itertools import combinations
from pathlib import Path

import pytest

from tests.support.builders.decoder_adapters import decoder_adapter
from tests.support.builders.decoder_exports import ATTENTION, MLP
from tests.support.builders.models import served_version
from tests.support.builders.real_decoders import smollm2
from tests.support.builders.specs import export_spec
from tests.support.greedy import compare, prompts
from tests.support.workbench import Workbench
from workers.export.handler import handle

logger = logging.getLogger(__name__)
pytestmark = [pytest.mark.nightly, pytest.mark.timeout(3600)]
PROMPTS = 100
NEW_TOKENS = 12


def test_greedy_tokens_equal_pytorchs(tmp_path: Path) -> None:
    base = smollm2()
    bench = Workbench(tmp_path, base)
    adapters = {
        "query and value": decoder_adapter(base, 8, 1, ("q_proj", "v_proj"), scale=0.05),
        "attention": decoder_adapter(base, 4, 2, ATTENTION, scale=0.05),
        "mlp": decoder_adapter(base, 8, 3, MLP, scale=0.04),
    }
    versions, graph = {}, None
    for number, (name, adapter) in enumerate(adapters.items(), 1):
        exported = handle(export_spec(bench.store(adapter, number), base_graph=graph), bench.context()).graph
        versions[name], graph = (adapter, served_version(number, exported)), exported.base_graph
    compared = compare(base, bench.artifacts, versions, prompts(PROMPTS, 40), NEW_TOKENS)
    logger.warning("%s %s", compared, compared.differences)
    for one, other in combinations(compared.theirs.values(), 2):
        assert sum(a != b for a, b in zip(one, other, strict=True)) > PROMPTS / 2
    assert compared.mixed_steps > compared.steps / 2
    assert compared.wrong == []
    assert len(compared.ties) <= 0.02 * PROMPTS * len(versions)
