"""Tables that programs keep in documents that people write: what stands between two marks is the program's."""

from pathlib import Path


def marks(name: str) -> tuple[str, str]:
    return f"<!-- {name} -->", f"<!-- /{name} -->"


def with_part(text: str, name: str, part: str) -> str:
    """The document with `part` between the marks of `name`. Raises ValueError unless each is there once, in order."""
    begin, end = marks(name)
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    if text.count(begin) != 1 or text.count(end) != 1 or end not in rest:
        raise ValueError(f"expected the marks {begin} and {end} once, one after the other")
    return f"{before}{begin}\n{part}\n{end}{after}"


def write_part(file: Path, name: str, part: str) -> None:
    """The same with a file. Raises ValueError, naming it, for one without the marks."""
    try:
        written = with_part(file.read_text(), name, part)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    file.write_text(written)
