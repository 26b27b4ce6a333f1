"""Each mutation still fits the source, and the tool says so loudly when one does not."""

import shutil
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tests.trials.chaos.mutations.__main__ import telling
from tests.trials.chaos.mutations.catalogue import MUTATIONS
from tests.trials.chaos.mutations.mutation import Edit, Mutation, NotFound
from tests.trials.chaos.mutations.results import Caught, keep, read, table, write_table
from tests.trials.chaos.plan import plan_round

SMALL = Mutation("small", "a test", (Edit("a:Ship.sail", "self.go(1, 'now')", "stay()"),), hit_by=("kill relay",))
SOUND = "class Ship:\n    def sail(self):\n        self.go(1, 'now')\n"


@pytest.fixture(params=list(MUTATIONS.values()), ids=list(MUTATIONS))
def mutation(request: pytest.FixtureRequest) -> Mutation:
    found: Mutation = request.param
    return found


def test_a_mutation_fits_the_source_and_is_still_python(mutation: Mutation, tmp_path: Path) -> None:
    files = {edit.file for edit in mutation.edits}
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    mutation.apply(tmp_path)
    for file in files:
        spoilt = (tmp_path / file).read_text()
        compile(spoilt, file, "exec")
        assert spoilt != (ROOT / file).read_text()


def test_there_are_enough_of_them_and_names_are_unique() -> None:
    assert len(MUTATIONS) >= 14
    assert all(name == mutation.name and mutation.breaks for name, mutation in MUTATIONS.items())


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("", 0),
        ("def sail(self):\n    self.go(1, 'now')\n", 0),
        (SOUND.replace("1", "2"), 0),
        (SOUND + "        self.go(1, 'now')\n", 2),
    ],
    ids=["gone", "elsewhere", "another", "twice"],
)
def test_a_source_that_has_moved_on_is_refused(text: str, times: int, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(text)
    with pytest.raises(NotFound, match=rf"a:Ship\.sail: found {times} times"):
        SMALL.apply(tmp_path)
    assert (tmp_path / "a.py").read_text() == text


def test_layout_comments_and_what_stands_around_do_not_matter(tmp_path: Path) -> None:
    text = """import os

class Ship:
    async def sail(self):
        if "ä":
            self.go(  # at once
                1,
                "now",
            )
            return 3
"""
    (tmp_path / "a.py").write_text(text)
    Mutation("m", "", (Edit("a:Ship.sail", "self.go(1, 'now')", "try:\n    stay()\nfinally:\n    end()"),)).apply(
        tmp_path
    )
    spoilt = (tmp_path / "a.py").read_text()
    body = (
        "            try:\n                stay()\n            finally:\n                end()\n            return 3\n"
    )
    assert spoilt == text[: text.index("            self.go")] + body


def test_an_expression_is_replaced_where_it_stands_and_may_need_imports(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('"""Says."""\n\nimport os\n\nACKS = {"ä": "all"}\n')
    Edit("a", "'all'", "lambda: sys.path", "import sys").apply(tmp_path)
    assert (tmp_path / "a.py").read_text() == (
        '"""Says."""\n\nimport sys\nimport os\n\nACKS = {"ä": (lambda: sys.path)}\n'
    )


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="found 0 times"):
        SMALL.apply(tmp_path)


def test_likely_seeds_are_played_first_and_none_is_left_out() -> None:
    plans = [plan_round(seed, "kafka") for seed in range(1, 60)]
    order = SMALL.order(plans)
    assert sorted(order) == list(range(1, 60))
    likely = [seed for seed in order if "kill relay" in "\n".join(plan_round(seed, "kafka").lines())]
    assert likely
    assert order[: len(likely)] == likely


def test_a_later_result_replaces_the_earlier_one_and_the_table_shows_all(tmp_path: Path) -> None:
    first, second = list(MUTATIONS)[:2]
    out, document = tmp_path / "found.json", tmp_path / "doc.md"
    document.write_text("before\n<!-- caught -->\nold\n<!-- /caught -->\nafter\n")
    keep(out, Caught(second, "kafka", 3, 1, "lost | twice", 10.0))
    keep(out, Caught(first, "kafka", None, 12, "", 10.0))
    keep(out, Caught(second, "kafka", 4, 2, "lost | once", 10.0))
    write_table(document, read(out))
    assert [one.seed for one in read(out)] == [None, 4]
    assert table(read(out)) in document.read_text()
    assert "not caught" in document.read_text()
    assert "lost \\| once" in document.read_text()
    assert "old" not in document.read_text()
    assert document.read_text().endswith("<!-- /caught -->\nafter\n")


def test_what_is_only_late_is_told_when_nothing_else_is_wrong() -> None:
    late, wrong = "still moving 180 s after everything was healed: job 1 is Running", "facts: told twice\nand more"
    assert telling([late, wrong]) == "facts: told twice"
    assert telling([late]) == late
