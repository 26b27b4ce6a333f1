"""The normal form of a text: two texts with one normal form are the same row to us.

NFKC, case-folded; invisible characters (Cf) go; punctuation counts as space and runs of space as one. Brackets stay:
they are the mouths of emoticons, and `:(` must not equal `:)`. A text of punctuation alone keeps it, or all of those
would be one.
"""

import unicodedata


class _Fold(dict[int, str]):
    """A `str.translate` table that asks the Unicode database once per character."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if category == "Cf":
            folded = ""
        elif category in ("Po", "Pd", "Pc", "Pi", "Pf"):
            folded = " "
        else:
            folded = character
        self[code] = folded
        return folded


_FOLD = _Fold()


def normalize(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.translate(_FOLD).split()) or " ".join(folded.split())
