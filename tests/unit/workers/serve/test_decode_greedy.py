"""A hundred prompts and three adapters in shared batches: every token is the one that PyTorch and PEFT write."""

from itertools import combinations

import pytest

from tests.support.builders.decoder_exports import Exported
from tests.support.builders.decoders import END, VOCABULARY
from tests.support.builders.models import served_version
from tests.support.greedy import Compared, Reference, compare, differences_of, prompts

PROMPTS = 100
NEW_TOKENS = 12


@pytest.fixture(scope="module")
def compared(exported: Exported) -> Compared:
    versions = {
        name: (adapter, served_version(number, exported.exports[name].graph))
        for number, (name, adapter) in enumerate(exported.adapters.items(), 1)
    }
    return compare(exported.base, exported.workbench.artifacts, versions, prompts(PROMPTS, 40), NEW_TOKENS)


def test_greedy_tokens_equal_pytorchs(compared: Compared) -> None:
    assert {name: len(texts) for name, texts in compared.ours.items()} == dict.fromkeys(compared.ours, PROMPTS)
    assert len(compared.ours) == 3
    assert compared.wrong == []
    assert len(compared.ties) <= 3, str(compared)


def test_all_versions_shared_batches(compared: Compared) -> None:
    assert compared.mixed_steps > compared.steps / 2, str(compared)
    assert compared.shared_reads > 0


def test_the_versions_answer_differently(compared: Compared) -> None:
    """So that an answer by another version's adapter would have been seen."""
    for one, other in combinations(compared.theirs.values(), 2):
        assert sum(a != b for a, b in zip(one, other, strict=True)) > 0.9 * PROMPTS


def test_another_versions_tokens_are_seen_as_wrong_and_not_as_ties(exported: Exported, compared: Compared) -> None:
    reference = Reference(exported.base, exported.adapters["mlp"], (VOCABULARY[END],))
    swapped = differences_of("mlp", reference, compared.read, compared.ours["all"], compared.theirs["mlp"])
    assert sum(not one.is_tie for one in swapped) > 0.9 * PROMPTS
