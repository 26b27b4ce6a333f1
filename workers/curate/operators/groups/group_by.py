"""The part of a group's name that tells which rows belong together."""

import re
from dataclasses import replace

from schemas.data.operators import GroupBy
from workers.curate.operators.operator import each
from workers.data.rows import Row


def judge(row: Row, settings: GroupBy) -> Row | str:
    match = re.search(settings.pattern, row.group or "")
    if match is None or match[1] is None:
        return "group_pattern_mismatch"
    return replace(row, group=match[1])


apply = each(judge)
