"""How long the client waits between two looks at what it waits for."""

import pytest

from controlplane.client.connection import pause


@pytest.mark.parametrize(
    ("waited", "seconds"), [(0, 0.3), (6, 0.3), (7, 0.35), (20, 1.0), (40, 2.0), (41, 2.0), (10_000, 2.0)]
)
def test_what_has_taken_long_is_asked_for_less_often(waited: float, seconds: float) -> None:
    assert pause(waited) == pytest.approx(seconds)
