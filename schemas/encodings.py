"""The encodings of text files that a spec may name, whatever it calls them."""

import codecs
from typing import Annotated, Final

from pydantic import AfterValidator

ENCODINGS: Final = (
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "ascii", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254",
    "cp1257", "cp437", "cp850", "iso8859-1", "iso8859-2", "iso8859-15", "mac-roman", "koi8-r", "shift_jis", "cp932",
    "euc_jp", "euc_kr", "cp949", "gbk", "gb18030", "big5",
)  # fmt: skip
"""By Python's names; `latin-1`, `windows-1252` and the like are other names of these."""


def _known(value: str) -> str:
    try:
        name = codecs.lookup(value.strip()).name
    except (LookupError, ValueError):
        name = ""
    if name not in ENCODINGS:
        raise ValueError(f"{value!r}: expected one of {', '.join(ENCODINGS)}, or another name of one")
    return name


Encoding = Annotated[str, AfterValidator(_known)]
