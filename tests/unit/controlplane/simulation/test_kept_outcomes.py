"""An imagined world is the same for its seed as it was when the figures in the documents were made."""

import pytest

from controlplane.simulation.scenarios import SCENARIOS
from tests.support.kept_outcomes import kept, outcomes

KEPT = kept()


def test_every_world_is_kept() -> None:
    assert sorted(KEPT) == sorted(SCENARIOS)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_a_world_ends_as_it_did(name: str) -> None:
    """`python -m tests.support.kept_outcomes` keeps another end, once it is meant."""
    assert outcomes(name) == KEPT[name]
