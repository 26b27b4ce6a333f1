"""What a version was made of, drawn by the server."""

import re
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from controlplane.ui.lineage import LETTERS, graph, shortened
from schemas.views.models import Ancestor, LineageView, VersionDetail
from tests.support.builders.artifacts import artifact, digest
from tests.support.builders.models import IDENTITY


def ancestor(name: str, number: int = 1) -> Ancestor:
    return Ancestor(id=uuid4(), name=name, version=number, digest=digest(name), job_id=UUID(int=1))


def version(
    near: list[Ancestor], far: list[Ancestor], data: list[Ancestor], further_data: list[Ancestor]
) -> VersionDetail:
    lineage = LineageView(
        parents=[one.id for one in near],
        datasets=[one.id for one in data],
        model_versions=[*near, *far],
        dataset_versions=[*data, *further_data],
    )
    return VersionDetail(
        id=uuid4(),
        model="sentiment",
        version=9,
        adapter=artifact("adapter"),
        identity=IDENTITY,
        privacy=None,
        job_id=UUID(int=1),
        created_at=datetime.now(UTC),
        created_by="test",
        aliases=[],
        attachments=[],
        lineage=lineage,
    )


def boxes(svg: str) -> dict[str, tuple[int, int]]:
    """Where each box stands, by where it leads."""
    found = re.findall(r'<a href="([^"]+)".*?<rect x="(\d+)" y="(\d+)"', svg)
    return {path: (int(x), int(y)) for path, x, y in found}


def size(svg: str) -> tuple[int, int]:
    [(width, height)] = re.findall(r'width="(\d+)" height="(\d+)" viewBox', svg)
    return int(width), int(height)


def test_of_nothing_there_is_no_picture() -> None:
    assert graph(version([], [], [], [])) == ""


def test_what_it_was_made_of_stands_to_its_left_and_a_line_leads_from_each() -> None:
    svg = graph(version([ancestor("left", 2)], [], [ancestor("reviews", 3)], []))
    found = boxes(svg)
    assert set(found) == {"/models/left/2", "/datasets/reviews/3", "/models/sentiment/9"}
    assert found["/models/left/2"][0] == found["/datasets/reviews/3"][0] < found["/models/sentiment/9"][0]
    assert svg.count('class="made-of"') == 2
    assert 'class="further"' not in svg
    assert "1 model and 1 dataset versions" in svg


def test_what_is_further_back_stands_further_left_and_is_dashed() -> None:
    svg = graph(version([ancestor("left")], [ancestor("older")], [], [ancestor("reviews")]))
    found = boxes(svg)
    assert found["/models/older/1"][0] == found["/datasets/reviews/1"][0] < found["/models/left/1"][0]
    assert svg.count('class="made-of"') == 1
    assert 'class="further"' in svg


def test_of_dozens_none_stands_on_another_or_outside() -> None:
    near = [ancestor(f"near-{number}") for number in range(30)]
    svg = graph(version(near, [ancestor(f"far-{number}") for number in range(60)], [ancestor("reviews")], []))
    found, (width, height) = boxes(svg), size(svg)
    assert len(found) == len(set(found.values())) == 92
    by_column: dict[int, list[int]] = {}
    for x, y in found.values():
        by_column.setdefault(x, []).append(y)
        assert 0 <= x < width - 200
        assert 0 <= y < height - 29
    assert len(by_column) == 3
    for column in by_column.values():
        assert all(b - a >= 30 for a, b in zip(sorted(column), sorted(column)[1:], strict=False))
    assert found["/models/sentiment/9"][1] < 200


@pytest.mark.parametrize("name", ["a/1", "n" * 64 + "/12345", "exactly-twenty-six-letters/1"])
def test_a_name_fits_and_keeps_its_number(name: str) -> None:
    short = shortened(name)
    assert len(short) <= LETTERS
    assert short.endswith(name[name.index("/") :])


def test_a_name_is_text() -> None:
    svg = graph(version([ancestor('"><script>x</script>')], [], [], []))
    assert "<script>" not in svg
