"""What a version answers: the tasks there are, and what is refused for a version of another at the request."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.model.identity import ModelIdentity
from schemas.model.references import ModelRef
from tests.support.builders.artifacts import digest
from tests.support.builders.datasets import dataset_ref
from tests.support.builders.models import GENERATOR, IDENTITY, generation, model_ref, varied
from tests.support.builders.specs import attack_spec, evaluate_spec, frozen_head, merge_spec, train_spec

WRITER = model_ref(7, model="writer", identity=GENERATOR)
REFUSED = "writer/7 is a version for text-generation; expected one for text-classification"


@pytest.mark.parametrize("whole", [IDENTITY, GENERATOR], ids=["text-classification", "text-generation"])
def test_an_identity_is_read_as_it_was_written(whole: ModelIdentity) -> None:
    assert ModelIdentity.model_validate_json(whole.model_dump_json()) == whole


def test_a_generator_has_nothing_of_a_classifier() -> None:
    assert set(GENERATOR.task.model_dump()) == {"type", "chat_template_digest", "stop_token_ids"}
    with pytest.raises(ValueError, match="task is text-generation: expected text-classification"):
        GENERATOR.classification  # noqa: B018
    assert IDENTITY.classification is IDENTITY.task


@pytest.mark.parametrize("ids", [(), (2, 0), (2, 2), (-1,)], ids=str)
def test_an_answer_ends_at_tokens_that_are_named_in_one_way(ids: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match="stop_token_ids"):
        generation(stop_token_ids=ids)


@pytest.mark.parametrize(
    ("field", "ask"),
    [
        ("against", lambda version: attack_spec(against=version)),
        ("against", lambda version: evaluate_spec(against=version)),
        ("task.text-classification.head.frozen.model_version", lambda version: train_spec(task=frozen_head(version))),
    ],
)
def test_what_takes_labels_refuses_a_generator_by_name(field: str, ask: Callable[[ModelRef], Any]) -> None:
    with pytest.raises(ValidationError, match=REFUSED) as refused:
        ask(WRITER)
    assert [".".join(map(str, error["loc"])) for error in refused.value.errors()] == [field]


def test_generators_of_one_chat_template_merge() -> None:
    other = model_ref(8, model="writer", identity=varied(GENERATOR, form={"r": 3}))
    merged = merge_spec(WRITER, other).identity()
    assert (merged.task, merged.form.model_dump()["r"]) == (GENERATOR.task, 11)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (IDENTITY, "differ in task.type: merge versions for one task"),
        (varied(GENERATOR, task={"chat_template_digest": digest("another")}), "merge versions of one chat template"),
        (varied(GENERATOR, task={"stop_token_ids": (2,)}), "merge versions that end their answers alike"),
    ],
    ids=["a classifier", "another template", "another end"],
)
def test_versions_that_answer_unlike_are_not_merged(other: ModelIdentity, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        merge_spec(WRITER, model_ref(8, identity=other))


def test_tasks_share_no_base_graph() -> None:
    assert GENERATOR.task.graph_recipe() != IDENTITY.task.graph_recipe()


@pytest.mark.parametrize("row_schema", ["prompt_completion", "messages"])
def test_a_version_is_asked_rows_of_its_task(row_schema: str) -> None:
    rows = dataset_ref("chats", row_schema=row_schema)
    assert evaluate_spec(WRITER, dataset=rows, against=model_ref(8, identity=GENERATOR)).dataset == rows
    with pytest.raises(ValidationError, match="rows of text_label; chats/1 has rows of"):
        evaluate_spec(dataset=rows)
    with pytest.raises(ValidationError, match="rows of prompt_completion or messages; reviews/1 has rows of"):
        evaluate_spec(WRITER)
