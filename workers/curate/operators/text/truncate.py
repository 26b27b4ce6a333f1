"""The first words of a text, with what stands between them."""

import re
from itertools import islice
from typing import Final

from schemas.data.operators import Truncate
from workers.curate.operators.operator import each
from workers.data.rows import TextLabel

WORD: Final = re.compile(r"\S+")


def truncate(row: TextLabel, settings: Truncate) -> TextLabel:
    last = next(islice(WORD.finditer(row.text), settings.max_words - 1, None), None)
    return row if last is None or last.end() == len(row.text) else row.with_text(row.text[: last.end()])


apply = each(truncate)
