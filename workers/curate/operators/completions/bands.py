"""A number as the words for the band in which it lies."""

import math
from dataclasses import replace

from schemas.data.operators import Bands
from workers.curate.operators.operator import each
from workers.data.numbers import number_in
from workers.data.rows import PromptCompletion


def judge(row: PromptCompletion, settings: Bands) -> PromptCompletion | str:
    number = number_in(row.completion)
    if math.isnan(number):
        return "completion_not_a_number"
    found = next((band.completion for band in settings.bands if band.holds(number)), None)
    return "completion_between_bands" if found is None else replace(row, completion=found, _key=None)


apply = each(judge)
