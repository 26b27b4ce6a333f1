"""The one path from text to token ids: training, parity, evaluation and serving all take it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from workers.runtime.errors import JobError

Ids = npt.NDArray[np.int64]

MAX_BYTES: Final = 256 << 20
"""Bytes of a tokenizer.json; those of the largest vocabularies have 35 million."""


@dataclass(frozen=True)
class Batch:
    """Token ids padded to the longest text of the batch, and which of them are not padding."""

    input_ids: Ids
    attention_mask: Ids


class TextTokenizer:
    """A `tokenizer.json`, truncating to max_length; None: it cuts nothing. Safe to share between threads."""

    def __init__(self, file: Path, max_length: int | None) -> None:
        self._tokenizer = _read(file)
        padding = self._tokenizer.padding
        self._pad_id: int = padding["pad_id"] if padding else _find_pad_id(self._tokenizer)
        # A file often brings its own truncation and fixed-length padding (MiniLM pads all texts to 128).
        if max_length is None:
            self._tokenizer.no_truncation()
        else:
            self._tokenizer.enable_truncation(max_length)
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str], *, special: bool = True) -> list[list[int]]:
        """Token ids of each text, not padded; `special`: with those that the file puts around a text."""
        encodings = self._tokenizer.encode_batch([_valid_unicode(text) for text in texts], add_special_tokens=special)
        return [encoding.ids for encoding in encodings]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, without special tokens."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def characters_read(self, text: str) -> int:
        """So many characters from its start are in the tokens; what lies beyond is cut off and never read."""
        return max((end for _, end in self._tokenizer.encode(_valid_unicode(text)).offsets), default=0)

    def pad(self, rows: Sequence[Sequence[int]], *, left: bool = False) -> Batch:
        """Rows of one width; `left`: padding stands before them, so that all of them end at the last column."""
        width = max((len(row) for row in rows), default=0)
        input_ids = np.full((len(rows), width), self._pad_id, dtype=np.int64)
        attention_mask = np.zeros((len(rows), width), dtype=np.int64)
        for index, row in enumerate(rows):
            place = slice(width - len(row), width) if left else slice(len(row))
            input_ids[index, place] = row
            attention_mask[index, place] = 1
        return Batch(input_ids, attention_mask)

    def vocabulary(self) -> dict[str, int]:
        vocabulary: dict[str, int] = self._tokenizer.get_vocab(with_added_tokens=False)
        return vocabulary


def _read(file: Path) -> Tokenizer:
    if (size := file.stat().st_size) > MAX_BYTES:
        raise JobError(f"tokenizer {file.name} has {size} bytes, expected at most {MAX_BYTES}")
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises nothing more special
        raise JobError(f"{file.name} is no tokenizer.json: {error}") from error


def _find_pad_id(tokenizer: Tokenizer) -> int:
    for token in ("[PAD]", "<pad>"):
        token_id = tokenizer.token_to_id(token)
        if token_id is not None:
            return int(token_id)
    return 0


def _valid_unicode(text: str) -> str:
    # JSON may carry half of a surrogate pair, which no tokenizer takes.
    return text.encode("utf-8", "replace").decode("utf-8")
