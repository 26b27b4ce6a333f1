"""A prompt with its completion: in columns of these names, or as Alpaca has them."""

from collections.abc import Mapping
from typing import Final

from workers.curate.shapes.shape import Fields, Shape, Values
from workers.curate.shapes.values import Fault, text_in


def values(fields: Fields, names: Mapping[str, str]) -> Values | Fault:
    prompt = text_in(fields[names["prompt"]], "empty_prompt")
    completion = text_in(fields[names["completion"]], "empty_completion")
    return next((one for one in (prompt, completion) if isinstance(one, Fault)), (prompt, completion))


def alpaca(fields: Fields, names: Mapping[str, str]) -> Values | Fault:
    """The input, where there is one, is what the instruction is about: it stands below it."""
    instruction = text_in(fields[names["instruction"]], "empty_prompt")
    output = text_in(fields[names["output"]], "empty_completion")
    about = text_in(fields.get(names.get("input", "")), "empty_prompt")
    for one in (instruction, output, about):
        if isinstance(one, Fault) and (one is not about or one.reason != "empty_prompt"):
            return one
    return (instruction if isinstance(about, Fault) else f"{instruction}\n\n{about}", output)


PROMPT_COMPLETION: Final = Shape("prompt_completion", ("prompt", "completion"), values)
ALPACA: Final = Shape("prompt_completion", ("instruction", "output"), alpaca, optional=("input",))
