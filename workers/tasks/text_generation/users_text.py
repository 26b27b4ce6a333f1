"""What a user wrote of a row: an attack changes that, and never what a template or an instruction puts around it."""

from collections.abc import Sequence
from dataclasses import replace

from schemas.data.operators import Template
from workers.data.rows import Message, Messages, PromptCompletion, Row
from workers.tasks.target import Operator
from workers.tasks.text_generation.prompts import messages_of


class UsersText:
    """The last message of a user before the answer; in a prompt, what curation's templates were put around."""

    def __init__(self, operators: Sequence[Operator]) -> None:
        """`operators`: of the dataset version's manifest, in their order."""
        written = Template.PLACE
        for settings in operators:
            if settings["op"] == "template":
                written = str(settings["prompt"]).replace(Template.PLACE, written)
        before, *others = written.split(Template.PLACE)
        # A text that stands in several places cannot be changed in one: such a prompt is taken whole.
        self._before, self._after = (before, others[0]) if len(others) == 1 else ("", "")

    def of(self, row: Row) -> str:
        if isinstance(row, PromptCompletion):
            before, after = self._around(row.prompt)
            return row.prompt[len(before) : len(row.prompt) - len(after)]
        messages = messages_of(row)
        return messages[_of_users(messages)[-1]]["content"]

    def put(self, row: Row, text: str) -> Row:
        """The row with another text of its user."""
        if isinstance(row, PromptCompletion):
            before, after = self._around(row.prompt)
            return replace(row, prompt=f"{before}{text}{after}", _key=None)
        messages = list(messages_of(row))
        place = _of_users(messages)[-1]
        messages[place] = {**messages[place], "content": text}
        return Messages(messages)

    def _around(self, prompt: str) -> tuple[str, str]:
        """Nothing, where the prompt does not read as the templates would have it: a parent version may have others."""
        fits = prompt.startswith(self._before) and prompt[len(self._before) :].endswith(self._after)
        return (self._before, self._after) if fits else ("", "")


def has_users_text(row: Row) -> bool:
    return isinstance(row, PromptCompletion) or bool(_of_users(messages_of(row)))


def _of_users(messages: Sequence[Message]) -> list[int]:
    """Which messages before the answer are a user's."""
    return [place for place, message in enumerate(messages[:-1]) if message["role"] == "user"]
