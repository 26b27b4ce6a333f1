"""Prompts and completions with words around them that are the same in every row."""

from dataclasses import replace

from schemas.data.operators import Template
from workers.curate.operators.operator import each
from workers.data.rows import PromptCompletion


def fill(row: PromptCompletion, settings: Template) -> PromptCompletion:
    return replace(row, prompt=settings.prompt.replace(settings.PLACE, row.prompt), _key=None)


apply = each(fill)
