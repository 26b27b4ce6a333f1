"""The messages of a conversation, whose last one the model shall learn to say: OpenAI's, or ShareGPT's."""

import json
from collections.abc import Mapping
from typing import Final, get_args

from schemas.data.rows import Role
from workers.curate.shapes.shape import Fields, Shape, Values
from workers.curate.shapes.values import Fault, text_in
from workers.data.rows import Message

OPENAI: Final[Mapping[str, str]] = {**{role: role for role in get_args(Role)}, "developer": "system"}
"""Their words for who speaks, and ours."""
SHAREGPT: Final[Mapping[str, str]] = {**OPENAI, "human": "user", "gpt": "assistant"}


def messages(fields: Fields, names: Mapping[str, str]) -> Values | Fault:
    return _conversation(fields[names["messages"]], "role", "content", OPENAI)


def conversations(fields: Fields, names: Mapping[str, str]) -> Values | Fault:
    return _conversation(fields[names["conversations"]], "from", "value", SHAREGPT)


def _conversation(value: object, who: str, what: str, roles: Mapping[str, str]) -> Values | Fault:
    said = _json(value) if isinstance(value, str) else value
    if not isinstance(said, list) or not said:
        return Fault("not_messages")
    turns: list[Message] = []
    for one in said:
        if not isinstance(one, dict) or who not in one or what not in one:
            return Fault("not_messages")
        content = text_in(one[what], "empty_message")
        if isinstance(content, Fault):
            return content
        if not isinstance(one[who], str) or one[who] not in roles:
            return Fault("unknown_role")
        turns.append({"role": roles[one[who]], "content": content})
    return (turns,) if turns[-1]["role"] == "assistant" else Fault("no_assistant_turn_last")


def _json(text: str) -> object:
    """A list in a column of texts, as CSV has it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


MESSAGES: Final = Shape("messages", ("messages",), messages)
CONVERSATIONS: Final = Shape("messages", ("conversations",), conversations)
