"""A merge is the weighted sum of its sources' updates, under one head."""

from dataclasses import replace
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.model.methods import MergeMethod
from tests.support.builders.adapters import random_adapter
from tests.support.builders.artifacts import digest
from tests.support.builders.models import GENERATOR, varied
from tests.support.builders.specs import merge_spec
from tests.support.workbench import Workbench
from workers.adapters.files import Adapter, read_adapter
from workers.base.loading import base_digest
from workers.merge.handler import handle
from workers.merge.methods import METHODS
from workers.runtime.errors import JobError

BASE = digest("a base")
Update = npt.NDArray[np.float64]


def updates(adapter: Adapter) -> dict[str, Update]:
    return {
        path: factors.b.astype(np.float64) @ factors.a.astype(np.float64)
        for path, factors in adapter.low_rank.factors.items()
    }


def weighted_sum(adapters: list[Adapter], weights: list[float]) -> dict[str, Update]:
    total: dict[str, Update] = {}
    for adapter, weight in zip(adapters, weights, strict=True):
        for path, update in updates(adapter).items():
            total[path] = total.get(path, np.zeros_like(update)) + weight * update
    return total


def merge(workbench: Workbench, adapters: list[Adapter], weights: list[float]) -> Adapter:
    versions = [workbench.store(adapter, number) for number, adapter in enumerate(adapters, start=1)]
    result = handle(merge_spec(*versions, weights=tuple(weights), model="merged"), workbench.context())
    merged = read_adapter(workbench.artifacts.fetch(result.adapter))
    assert result.identity == merged.identity
    return merged


def assert_same(found: dict[str, Update], expected: dict[str, Update]) -> None:
    assert found.keys() == expected.keys()
    for path in expected:
        # float32 factors, products of norm about 30: six digits.
        np.testing.assert_allclose(found[path], expected[path], atol=1e-5, rtol=1e-5)


def test_every_method_of_the_contract_exists() -> None:
    assert set(METHODS) == set(get_args(MergeMethod))


def test_it_is_the_weighted_sum_whatever_the_ranks(workbench: Workbench) -> None:
    adapters = [
        random_adapter(BASE, r=2, seed=1),
        random_adapter(BASE, r=5, seed=2),
        random_adapter(BASE, r=4, seed=3),
    ]
    merged = merge(workbench, adapters, [0.5, -0.25, 2.0])
    assert_same(updates(merged), weighted_sum(adapters, [0.5, -0.25, 2.0]))
    assert merged.identity.form.r == 2 + 5 + 4


def test_the_head_is_the_sources_head(workbench: Workbench) -> None:
    adapters = [random_adapter(BASE, r=2, seed=1), random_adapter(BASE, r=2, seed=2)]
    np.testing.assert_array_equal(merge(workbench, adapters, [1, 1]).linear_head.weight, adapters[0].linear_head.weight)


def test_versions_that_answer_with_text_are_summed_without_a_head(workbench: Workbench) -> None:
    said = varied(GENERATOR, form={"r": 2})
    adapters = [replace(random_adapter(BASE, r=2, seed=seed), identity=said, head=None) for seed in (1, 2)]
    merged = merge(workbench, adapters, [0.5, 2.0])
    assert_same(updates(merged), weighted_sum(adapters, [0.5, 2.0]))
    assert (merged.head, merged.identity.task) == (None, said.task)


def test_sources_may_change_different_modules(workbench: Workbench) -> None:
    adapters = [
        random_adapter(BASE, r=2, seed=1, target_modules=("query",)),
        random_adapter(BASE, r=3, seed=2, target_modules=("key", "value")),
    ]
    merged = merge(workbench, adapters, [1.0, 0.5])
    assert_same(updates(merged), weighted_sum(adapters, [1.0, 0.5]))
    assert merged.identity.form.target_modules == ("key", "query", "value")


@pytest.mark.parametrize("lengths", [(16, 48), (48, 16), (16, 64, 32)])
def test_it_reads_as_much_of_a_text_as_its_longest_source(workbench: Workbench, lengths: tuple[int, ...]) -> None:
    adapters = [random_adapter(BASE, r=2, seed=seed, max_length=length) for seed, length in enumerate(lengths)]
    assert merge(workbench, adapters, [1.0] * len(adapters)).identity.max_length == max(lengths)


def test_heads_alone_merge_to_the_head_alone(workbench: Workbench) -> None:
    merged = merge(workbench, [random_adapter(BASE, r=0, seed=1), random_adapter(BASE, r=0, seed=2)], [1, 1])
    assert merged.identity.form.r == 0
    assert not merged.low_rank.factors


@settings(max_examples=25, deadline=None)
@given(r=st.integers(1, 9), weight=st.floats(0, 1))
def test_merging_a_version_with_itself_returns_it(r: int, weight: float) -> None:
    adapter = random_adapter(BASE, r=r, seed=r)
    found = METHODS["cat"]([adapter.low_rank, adapter.low_rank], [weight, 1 - weight])
    merged = {path: both.b.astype(np.float64) @ both.a.astype(np.float64) for path, both in found.factors.items()}
    for path, update in updates(adapter).items():
        np.testing.assert_allclose(merged[path], update, atol=2e-4, rtol=1e-5)


def test_linear_is_refused_and_why_is_true(workbench: Workbench) -> None:
    """Averaging A and B separately is not the average of the updates."""
    first, second = random_adapter(BASE, r=2, seed=1), random_adapter(BASE, r=2, seed=2)
    path = next(iter(first.low_rank.factors))
    a = (first.low_rank.factors[path].a + second.low_rank.factors[path].a) / 2
    b = (first.low_rank.factors[path].b + second.low_rank.factors[path].b) / 2
    linear = b @ a
    assert np.abs(linear - weighted_sum([first, second], [0.5, 0.5])[path]).max() > 0.1
    versions = [workbench.store(adapter) for adapter in (first, second)]
    with pytest.raises(ValidationError, match="use `cat`"):
        merge_spec(*versions, merge_method="linear")


def test_versions_with_heads_of_their_own_are_refused_with_advice(workbench: Workbench) -> None:
    refs = [workbench.store(random_adapter(BASE, r=2, seed=1, head_seed=seed)) for seed in (0, 1)]
    with pytest.raises(ValidationError, match="frozen"):
        merge_spec(*refs)


def test_a_file_that_is_not_what_its_registration_says_is_refused(workbench: Workbench) -> None:
    digest = base_digest(workbench.base)
    honest = workbench.store(random_adapter(digest, r=2, seed=1))
    forged = honest.model_copy(update={"adapter": workbench.store(random_adapter(digest, 2, 1, head_seed=9)).adapter})
    with pytest.raises(JobError, match="its registration says"):
        handle(merge_spec(honest, forged), workbench.context())
