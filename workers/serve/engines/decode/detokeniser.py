"""Tokens as text while they are written: no half of a character, and no space lost between two pieces."""

from typing import Final

from workers.base.tokenizer import TextTokenizer

_HALF: Final = "\N{REPLACEMENT CHARACTER}"
"""What stands where the bytes of a character are not all there."""


class Detokeniser:
    """The pieces of a text, one after the other, are what its tokens decode to at once.

    A token's text depends on the one before it (a space between two words), so each piece is what the last tokens gain
    beside those of the piece before. Bytes that make no character may read otherwise: a decoder with a fallback to
    bytes gives a whole run of them up, where some were told.
    """

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._before: list[int] = []
        """Tokens of the last piece."""
        self._since: list[int] = []
        """Tokens whose text is held back."""

    def add(self, token: int) -> str:
        """The text that is whole now; empty: more is needed."""
        self._since.append(token)
        gained = self._gained()
        if not gained or gained.endswith(_HALF):
            return ""
        self._before, self._since = self._since, []
        return gained

    def rest(self) -> str:
        """What was held back, at the end of the text."""
        gained = self._gained()
        self._before, self._since = self._since, []
        return gained

    def _gained(self) -> str:
        told = self._tokenizer.decode(self._before)
        return self._tokenizer.decode([*self._before, *self._since])[len(told) :]
