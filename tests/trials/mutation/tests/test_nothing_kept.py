"""What one test has had computed is computed again for the next."""

from controlplane.simulation.draws import poisson_table
from tests.trials.mutation.nothing_kept import pytest_runtest_setup


def test_before_each_test_no_function_of_ours_keeps_an_answer() -> None:
    poisson_table(2.5)
    assert poisson_table.cache_info().currsize > 0
    pytest_runtest_setup()
    assert poisson_table.cache_info().currsize == 0
