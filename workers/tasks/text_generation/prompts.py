"""From what is asked to the token ids that a decoder reads: training, evaluation and serving all take this path."""

from collections.abc import Mapping, Sequence

from workers.base.chat import ChatTemplate
from workers.base.tokenizer import TextTokenizer
from workers.data.rows import Message, Messages, PromptCompletion, Row
from workers.runtime.errors import JobError


class Prompts:
    """How a base is asked. Safe to share between threads."""

    def __init__(self, tokenizer: TextTokenizer, template: ChatTemplate | None) -> None:
        """`tokenizer`: one that cuts nothing; `template`: None where the base has none, and takes no messages."""
        self.tokenizer, self.template = tokenizer, template

    def of_text(self, text: str) -> list[int]:
        """A text to go on from."""
        return self.tokenizer.encode([text])[0]

    def of_messages(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """A conversation, up to where its next turn begins. JobError: the base takes none, or refuses this one."""
        return self.tokenizer.encode([self.conversation(messages, asks=True)], special=False)[0]

    def question(self, row: Row) -> list[int]:
        """The row without its last completion: what a version is asked."""
        if isinstance(row, PromptCompletion):
            return self.of_text(row.prompt)
        return self.of_messages(messages_of(row)[:-1])

    def conversation(self, messages: Sequence[Mapping[str, str]], *, asks: bool) -> str:
        """As one text; `asks`: with what stands before the answer that is asked for."""
        if self.template is None:
            raise JobError(
                "the base has no chat template, which makes a prompt of messages; "
                "expected rows of prompt_completion, or a base with one"
            )
        return self.template.render(messages, asks=asks)


def check_lengths(prompts: Sequence[Sequence[int]], most: int) -> None:
    """JobError: the base's context of `most` tokens has no room for some of these prompts."""
    longer = [(number, len(prompt)) for number, prompt in enumerate(prompts, start=1) if len(prompt) > most]
    if longer:
        number, tokens = longer[0]
        raise JobError(
            f"row {number} of the {len(prompts)} that are asked: the prompt has {tokens:,} tokens, "
            f"the base's context is {most:,}; rows that are too long: {len(longer)}"
        )


def messages_of(row: Row) -> Sequence[Message]:
    if not isinstance(row, Messages):
        raise JobError("a row is a text with a label; expected a prompt with a completion, or messages")
    return row.messages
