"""Texts with more characters than anybody reads."""

from schemas.data.operators import TextLength
from workers.curate.operators.operator import each
from workers.data.rows import Row


def judge(row: Row, settings: TextLength) -> Row | str:
    return "too_long" if len(row.text) > settings.max_characters else row


apply = each(judge)
