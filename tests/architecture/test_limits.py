"""docs/limits.md says what the code does, and every limit has words."""

from deploy.limits import DOCUMENT, constants, with_tables


def test_the_tables_are_up_to_date() -> None:
    text = DOCUMENT.read_text()
    assert with_tables(text) == text, "run `make generate`"


def test_every_limit_says_of_what_it_is() -> None:
    assert [f"{module}.{name}" for module, name, _, words in constants() if not words] == []
