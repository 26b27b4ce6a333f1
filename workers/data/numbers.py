"""What a text says as a number."""

import math


def number_in(text: str) -> float:
    """NaN: it says none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
