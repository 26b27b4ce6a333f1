"""Lines of a text file from anywhere, in whatever encoding and with whatever line ends; one costs bounded memory."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MAX_LINE = 1 << 20
"""Characters. A longer line is cut to one more, so that its reader sees that it is too long."""
MAX_RECORD = 4 << 20
"""Characters of one record, which may have several lines where quotes hold them together."""
HEAD_BYTES: Final = 1 << 18
"""Bytes from the start of a file that tell its encoding, its line ends and its delimiter."""
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
MARK: Final = "graftwork.mark"
"""The name under which the error handler `_mark` is registered with `codecs`."""
_QUOTED: Final = re.compile(r'"[^"]*"')
_LINE_END: Final = re.compile(r"\r*\n|\r")
_UNDECODABLE: Final = "\udc80"
_SHARE_OF_ZEROS: Final = 0.3


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are no text become a lone surrogate, which `character_fault` finds: they cost their own row only."""
    assert isinstance(error, UnicodeDecodeError)
    return _UNDECODABLE, error.end


codecs.register_error(MARK, _mark)


def read_lines(path: Path, encoding: str | None = None) -> Iterator[tuple[int, str]]:
    """Each line with its number from 1, without its line end."""
    head = read_head(path)
    codec = encoding_of(head, encoding)
    newline = _newline(head.decode(codec, "replace"))
    errors = "surrogateescape" if codec == "utf-8" else MARK
    with path.open(encoding=codec, errors=errors, newline=newline) as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            # in the middle of a file where files were put together
            yield number, _bare(line.lstrip("\ufeff"), newline)
            while not line.endswith(newline) and len(line) > MAX_LINE:
                line = file.readline(MAX_LINE + 1)


def read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def encoding_of(head: bytes, given: str | None) -> str:
    """As it is given, else by the byte order mark, else by the zeros that UTF-16 has between Latin letters."""
    marked = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    if given is not None:
        return marked if marked and given in ("utf-16", "utf-32") else given
    if marked:
        return marked
    pairs = len(head) // 2
    for name, zeros in (("utf-16-le", head[1::2].count(0)), ("utf-16-be", head[::2].count(0))):
        if pairs and zeros > _SHARE_OF_ZEROS * pairs and head.count(0) < 1.2 * zeros:
            return name
    return "utf-8"


def _newline(head: str) -> str:
    """Classic Mac files, and Excel's "CSV (Macintosh)", end lines with a carriage return alone; their cells may not."""
    if "\r" not in head:
        return "\n"
    ends: list[str] = _LINE_END.findall(_QUOTED.sub("", head))
    is_mac = ends[:1] == ["\r"] and 2 * ends.count("\r") > len(ends)
    return "\r" if is_mac or "\n" not in head else "\n"


def _bare(line: str, newline: str) -> str:
    """Where a carriage return ends lines, a line feed behind it belongs to it."""
    return (line.removeprefix("\n") if newline == "\r" else line).removesuffix("\n").removesuffix("\r")


def raw(text: str) -> bytes:
    """What of a line is digested when it is rejected."""
    return text.encode("utf-8", "surrogatepass")
