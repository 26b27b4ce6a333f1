"""What every attack aims at, whatever the task: a right answer breaks. Imported in the attack's own process only."""

from collections.abc import Sequence
from typing import Any

import torch
from textattack.goal_function_results import TextToTextGoalFunctionResult
from textattack.goal_functions import GoalFunction
from textattack.models.wrappers import ModelWrapper

from workers.tasks.target import Question, Reply


class Victim(ModelWrapper):  # type: ignore[misc]
    """The version as TextAttack sees a model; it is asked about one row at a time, and no text twice."""

    def __init__(self) -> None:
        self.model = torch.nn.Identity()  # some of TextAttack's paths ask for one
        self._known: dict[str, Reply] = {}

    def face(self, question: Question) -> None:
        """From now on texts are those of another row."""
        self._question, self._known = question, {question.text: question.original}

    def __call__(self, texts: Sequence[str]) -> list[Reply]:
        unknown = list(dict.fromkeys(text for text in texts if text not in self._known))
        if unknown:
            self._known.update(zip(unknown, self._question.ask(unknown), strict=True))
        return [self._known[text] for text in texts]


class AnswerBreaks(GoalFunction):  # type: ignore[misc]
    """Reached with the first wrong answer. Each text that is asked is a query, known or not."""

    def __init__(self, victim: Victim) -> None:
        super().__init__(victim, use_cache=False)

    def _is_goal_complete(self, model_output: Reply, attacked_text: Any) -> bool:
        return not model_output.is_right

    def _get_score(self, model_output: Reply, attacked_text: Any) -> float:
        return model_output.damage

    def _get_displayed_output(self, raw_output: Reply) -> str:
        return raw_output.answer

    def _goal_function_result_type(self) -> type:
        return TextToTextGoalFunctionResult  # type: ignore[no-any-return]

    def _process_model_outputs(self, inputs: Any, outputs: list[Reply]) -> list[Reply]:
        return outputs
