"""What a request costs is told from its texts alone, and what a token costs from the last batches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.serve.engines.graph.costs import RATE_SECONDS, ROW_TOKENS, Arrivals, Rate, weigh
from workers.serve.engines.pace import REMEMBERED, Pace


def test_a_row_costs_its_tokens_and_no_more_than_the_version_reads() -> None:
    empty, word, sentence, long = weigh(["", "film", "word " * 20, "word " * 60], 64)
    assert ROW_TOKENS < empty < word < sentence < long
    assert long - ROW_TOKENS == 64
    assert weigh(["word " * 60], 32)[0] - ROW_TOKENS == 32


def test_reading_a_long_text_costs_beyond_the_tokens_that_count() -> None:
    short, long = weigh(["word " * 60, "word " * 4_000], 64)
    assert long - short > 32


def test_a_script_of_more_bytes_is_thought_to_have_more_tokens() -> None:
    latin, chinese = weigh(["a" * 40, "好" * 40], 512)
    assert chinese > 1.5 * latin


@given(st.text(), st.integers(8, 512))
def test_any_text_has_a_weight(text: str, max_length: int) -> None:
    [weight] = weigh([text], max_length)
    assert weight > ROW_TOKENS


def test_half_a_surrogate_pair_has_a_weight() -> None:
    assert weigh(["\ud800" * 10], 64)[0] > ROW_TOKENS


def test_one_batch_that_stalled_does_not_change_the_pace_and_a_slower_machine_does() -> None:
    pace = Pace()
    assert pace.seconds_per_token is None
    for now in range(5):
        pace.measure(100, 0.1, now)
    pace.measure(100, 60.0, 5)
    assert (pace.seconds_per_token, pace.measured_at) == (pytest.approx(0.001), 5)
    for now in range(REMEMBERED):
        pace.measure(50, 0.1, now)
    assert pace.seconds_per_token == pytest.approx(0.002)


def test_a_rate_settles_at_what_comes_and_is_forgotten_when_nothing_does() -> None:
    rate = Rate()
    for tenth in range(600):
        rate.add(10, tenth / 10)
    assert rate.at(60.0) == pytest.approx(100, rel=0.05)
    assert rate.at(60.0 + 5 * RATE_SECONDS) < 1


def test_only_clearly_smaller_requests_pass_a_larger_one() -> None:
    arrivals = Arrivals()
    for tenth in range(600):
        for tokens in (10, 40, 5_000):
            arrivals.add(tokens, tenth / 10)
    passing = {tokens: arrivals.of_smaller_ones(tokens, 60.0) for tokens in (10, 15, 40, 60, 5_000, 10_000)}
    assert passing[10] == passing[15] == 0.0
    assert passing[40] == passing[60] == pytest.approx(100, rel=0.1)
    assert passing[5_000] == pytest.approx(500, rel=0.1)
    assert passing[10_000] == pytest.approx(50_500, rel=0.1)
