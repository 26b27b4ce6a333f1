"""What an attack may be asked: its recipe and how answers are checked fit the task, or the request is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.faults import in_words
from schemas.gates import MetricGate
from schemas.jobs import attack
from schemas.jobs.attack import AttackSpec
from schemas.jobs.references import ServedGraphOf, marked
from tests.support.builders.datasets import dataset_ref
from tests.support.builders.models import GENERATOR, graph_ref, model_ref
from tests.support.builders.specs import attack_spec

WRITER = model_ref(7, model="writer", identity=GENERATOR)
CHATS = dataset_ref("chats", row_schema="messages")
JSON = {"metric": "valid_json", "max_new_tokens": 32}


def refused(ask: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as found:
        ask()
    return [(".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")) for one in found.value.errors()]


def of_generator(**fields: Any) -> AttackSpec:
    return attack_spec(WRITER, graph_ref(7, identity=GENERATOR), dataset=CHATS, **fields)


def test_a_generator_is_attacked_by_the_metric_that_is_named() -> None:
    asked = of_generator(answer=JSON)
    assert asked.recipe == "deepwordbug"
    assert str(asked.answer) == "valid_json within 32 tokens"
    assert refused(of_generator) == [
        ("answer", "null; expected an object whose metric is exact_match or valid_json, for text-generation")
    ]
    assert refused(lambda: of_generator(answer={"metric": "rouge_l"})) == [
        ("answer.metric", "Input should be 'exact_match' or 'valid_json'")
    ]


def test_who_leaves_out_how_a_generators_answer_is_checked_is_told_which_field_that_is() -> None:
    document = of_generator(answer=JSON).model_dump(mode="json", exclude={"answer"})
    with pytest.raises(ValidationError) as found:
        of_generator()
    assert [fault.field for fault in in_words(found.value, document, "spec")] == ["spec.answer"]


def test_a_classifiers_answer_is_its_label() -> None:
    assert attack_spec().answer is None
    assert refused(lambda: attack_spec(answer=JSON)) == [
        (
            "answer",
            "metric valid_json; expected null, for text-classification answers with the row's label or does not",
        )
    ]


def test_a_recipe_attacks_the_tasks_that_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attack, "ATTACKED_TASKS", {"deepwordbug": ("text-classification",)})
    assert attack_spec().recipe == "deepwordbug"
    assert refused(lambda: of_generator(answer=JSON)) == [
        ("recipe", "deepwordbug attacks no text-generation; expected another version")
    ]


def test_it_is_the_served_graph_that_is_attacked_whatever_the_task() -> None:
    assert marked(AttackSpec, ServedGraphOf) == {
        "graph": ServedGraphOf("model_version"),
        "against_graph": ServedGraphOf("against"),
    }


def test_a_gate_says_how_answers_were_checked() -> None:
    strength = {"recipe": "deepwordbug", "queries_per_word": 10, "answer": JSON}
    gate = MetricGate(metric="attack_success_rate_at_worst", dataset="chats", min_rows=30, maximum=0.5, attack=strength)
    assert gate.attack is not None
    assert gate.attack.answer == of_generator(answer=JSON).answer
