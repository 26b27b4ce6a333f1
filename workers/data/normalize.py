"""The normal form of a text: two texts with one normal form are the same row to us.

NFKC, case-folded; invisible characters (Cf) go, quotes and sentence marks count as space and runs of space as one. What
distinguishes stays: `C#`, `C++` and `C`, `-12` and `12`, `.NET` and `net`, `50%` and `50`, and brackets, which are the
mouths of emoticons. A text of marks alone keeps them, or all of those would be one.

`loosely` goes further and drops every punctuation character: texts that are equal by it may be told apart by their
labels, but never lie in two splits.
"""

import re
import unicodedata
from typing import Final

_MARKS: Final = re.compile(
    r"""
    ['"`,;\u2026\u00a1\u00bf\u3001\u3002\u2018-\u201f\u00ab\u00bb\u2039\u203a]  # quotes, commas, stops of other scripts
    | [.!:] (?! [^\W_] )                          # the end of a sentence: not .net, 1.5 or !important
    | (?<! [^\W_] ) [-\u2010\u2011] (?! [^\W_] )  # a dash between spaces: not -12, A- or well-known
    | [\u2012-\u2015]                             # longer dashes
    """,
    re.VERBOSE,
)


class _Fold(dict[int, str]):
    """A `str.translate` table that asks the Unicode database once per character."""

    def __init__(self, *spaces: str) -> None:
        self._spaces = spaces

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        folded = "" if category == "Cf" else " " if category in self._spaces else character
        self[code] = folded
        return folded


_VISIBLE: Final = _Fold()
_LOOSE: Final = _Fold("Po", "Pd", "Pc", "Pi", "Pf")


def normalize(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    seen = folded.translate(_VISIBLE).replace("\u2212", "-")
    return " ".join(_MARKS.sub(" ", seen).split()) or " ".join(folded.split())


def loosely(key: str) -> str:
    """A normalised text without punctuation characters; unchanged where nothing else is in it."""
    return " ".join(key.translate(_LOOSE).split()) or key
