"""The adapter file says the same in the same bytes, and refuses what does not fit together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.support.builders.adapters import small_adapter
from tests.support.builders.models import GENERATOR, varied
from workers.adapters.files import read_adapter, serialize_adapter, write_adapter
from workers.adapters.head import Head, head_digest
from workers.runtime.errors import JobError


@pytest.mark.parametrize("r", [0, 2])
def test_what_is_written_is_read(tmp_path: Path, r: int) -> None:
    write_adapter(small_adapter(r), tmp_path / "adapter")
    found = read_adapter(tmp_path / "adapter")
    assert found.identity == small_adapter(r).identity
    assert serialize_adapter(found) == serialize_adapter(small_adapter(r))


def test_a_version_that_answers_with_text_has_no_head(tmp_path: Path) -> None:
    of_text = replace(small_adapter(), identity=varied(GENERATOR, form={"r": 2}), head=None)
    write_adapter(of_text, tmp_path / "adapter")
    found = read_adapter(tmp_path / "adapter")
    assert (found.identity, found.head) == (of_text.identity, None)
    assert serialize_adapter(found) == serialize_adapter(of_text)
    with pytest.raises(JobError, match="the adapter is for text-generation, expected text-classification"):
        found.linear_head  # noqa: B018


def test_a_head_in_a_file_whose_task_has_none_is_refused_and_so_is_none_where_there_must_be_one(tmp_path: Path) -> None:
    adapter = small_adapter()
    for wrong, said in (
        (replace(adapter, identity=varied(GENERATOR, form={"r": 2})), "lacks tensor head"),
        (replace(adapter, head=None), "lacks tensor head.weight"),
    ):
        write_adapter(wrong, tmp_path / "adapter")
        with pytest.raises(JobError, match=said):
            read_adapter(tmp_path / "adapter")


def test_a_head_digest_covers_numbers_labels_and_their_order() -> None:
    head = small_adapter().linear_head
    other = Head(head.weight, head.bias + 1)
    digests = {head_digest(head, ("no", "yes")), head_digest(head, ("yes", "no")), head_digest(other, ("no", "yes"))}
    assert len(digests) == 3


def test_a_file_of_someone_else_is_refused(tmp_path: Path) -> None:
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "foreign")
    with pytest.raises(JobError, match="not an adapter file of ours"):
        read_adapter(tmp_path / "foreign")
    (tmp_path / "pickle").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(JobError, match="not an adapter file of ours"):
        read_adapter(tmp_path / "pickle")


def test_factors_of_another_rank_are_refused(tmp_path: Path) -> None:
    wrong = small_adapter()
    wrong = replace(wrong, identity=varied(wrong.identity, form={"r": 3}))
    write_adapter(wrong, tmp_path / "adapter")
    with pytest.raises(JobError, match="expected rank 3"):
        read_adapter(tmp_path / "adapter")


def test_a_head_that_is_not_the_one_its_identity_names_is_refused(tmp_path: Path) -> None:
    adapter = small_adapter()
    other = replace(adapter, head=replace(adapter.linear_head, bias=adapter.linear_head.bias + 1))
    write_adapter(other, tmp_path / "adapter")
    with pytest.raises(JobError, match="its identity says"):
        read_adapter(tmp_path / "adapter")
