"""docs/limits.md says what the code does, and every limit has words."""

from deploy.limits import DOCUMENT, constants, fields_table, with_tables


def test_the_tables_are_up_to_date() -> None:
    text = DOCUMENT.read_text()
    assert with_tables(text) == text, "run `make generate`"


def test_every_limit_says_of_what_it_is() -> None:
    assert [f"{module}.{name}" for module, name, _, words in constants() if not words] == []


def test_what_comes_in_is_listed_and_what_only_goes_out_is_not() -> None:
    table = fields_table()
    for field in (
        "TrainSpec.epochs",
        "GroupBy.pattern",
        "InboundEvent.id",
        "CanaryPolicy.metrics",
        "Progress.message",
    ):
        assert f"| `{field}` |" in table
    assert "Generation.weight" not in table.replace("GenerationSecond.", "")


def test_whole_numbers_are_shown_as_such() -> None:
    assert [line for line in fields_table().splitlines() if line.endswith(".0 |")] == []
