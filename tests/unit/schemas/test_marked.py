"""What a person wrote around a program's table stays."""

from pathlib import Path

import pytest

from schemas.marked import with_part, write_part

PAGE = "before\n<!-- a table -->\nold\n<!-- /a table -->\nafter\n"


def test_a_part_replaces_the_one_before_it_and_nothing_else() -> None:
    twice = with_part(with_part(PAGE, "a table", r"new \1"), "a table", "newer")
    assert twice == "before\n<!-- a table -->\nnewer\n<!-- /a table -->\nafter\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("nothing", id="no marks"),
        pytest.param("<!-- a table -->", id="no end"),
        pytest.param("<!-- /a table -->\n<!-- a table -->", id="the end first"),
        pytest.param(PAGE + PAGE, id="twice"),
    ],
)
def test_a_document_without_its_marks_is_refused_and_stays(text: str, tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"page\.md: expected the marks <!-- a table --> and <!-- /a table --> once"):
        write_part(file, "a table", "new")
    assert file.read_text() == text
