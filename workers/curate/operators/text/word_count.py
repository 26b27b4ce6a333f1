"""Texts with too few or too many words."""

from schemas.data.operators import WordCount
from workers.curate.operators.operator import each
from workers.data.rows import Row


def judge(row: Row, settings: WordCount) -> Row | str:
    words = len(row.text.split())
    if words < settings.min_words:
        return "too_few_words"
    return "too_many_words" if words > (settings.max_words or words) else row


apply = each(judge)
