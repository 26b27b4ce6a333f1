"""Every figure that a program keeps in a document stands in a JSON file, and the document says what that file says."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controlplane.cli.simulation import kept_rows, rows_on_screen
from controlplane.cli.simulation.policies import read_policy
from controlplane.simulation.report import Row
from tests.support.processes import ROOT
from tests.support.stored_figures import Render, check_document, keep, stored_for
from tests.trials.bench import records, tables
from tests.trials.chaos import tables as chaos_tables
from tests.trials.chaos.mutations import results
from tests.trials.hostile.outcome import part
from tests.trials.load.pages import section

DOCS = ROOT / "docs"
CHAOS = [ROOT / "tests" / "trials" / "chaos" / "results" / f"{topology}.json" for topology in ("kafka", "embedded")]
FROM_CODE = {"limits.md": {"constants", "fields"}, "reference.md": {"roles", "settings", "events", "measured"}}
"""`make generate` writes these, and CI compares them: they tell no figures that were measured."""
BY_PART: dict[str, Render] = {"hostile.md": part, "load.md": section}
"""Documents with a JSON file beside them that holds figures by the names of the parts."""


def parts(document: Path) -> dict[str, str]:
    return dict(re.findall(r"<!-- ([^/][^>]*) -->\n(.*?)\n<!-- /\1 -->", document.read_text(), re.DOTALL))


def simulated_rows() -> tuple[Row, ...]:
    return kept_rows.ROWS.validate_python(stored_for(DOCS / "canary-simulation.md")["rows"])


def newest_results() -> records.Results:
    return records.load(max(records.FOLDER.glob("*.json")))


def by_part(name: str) -> Callable[[], dict[str, str]]:
    return lambda: {part: BY_PART[name](figures) for part, figures in stored_for(DOCS / name).items()}


TOLD: dict[Path, Callable[[], dict[str, str]]] = {
    **{DOCS / name: by_part(name) for name in BY_PART},
    DOCS / "chaos.md": lambda: {
        chaos_tables.PART: "\n\n".join(chaos_tables.table(json.loads(file.read_text())) for file in CHAOS)
    },
    DOCS / "chaos-mutations.md": lambda: {results.PART: results.table(results.read(DOCS / "chaos-mutations.json"))},
    DOCS / "canary-simulation.md": lambda: {rows_on_screen.PART: rows_on_screen.table(simulated_rows())},
    DOCS / "benchmarks.md": lambda: {tables.PART: tables.whole(newest_results())},
    ROOT / "README.md": lambda: {tables.PART: tables.short(newest_results())},
}
"""What each document has to say between its marks."""


@pytest.mark.parametrize("document", TOLD, ids=lambda document: document.name)
def test_a_document_tells_what_is_stored(document: Path) -> None:
    assert parts(document) == TOLD[document]()


def unaccounted() -> Iterator[str]:
    for document in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))):
        if document not in TOLD and (others := parts(document).keys() - FROM_CODE.get(document.name, set())):
            yield f"{document.name}: {', '.join(sorted(others))}"


def test_no_document_has_figures_that_nobody_compares() -> None:
    assert list(unaccounted()) == []


def test_what_is_kept_is_in_both_and_others_stay(tmp_path: Path) -> None:
    document = tmp_path / "load.md"
    document.write_text((DOCS / "load.md").read_text())
    document.with_suffix(".json").write_text((DOCS / "load.json").read_text())
    before = stored_for(document)
    figures = {**before["soak kafka"], "conditions": "On a Tuesday; ünï."}
    keep(document, "soak kafka", figures, section)
    assert stored_for(document) == {**before, "soak kafka": figures}
    assert parts(document) == {"soak embedded": section(before["soak embedded"]), "soak kafka": section(figures)}


def test_a_document_without_the_part_is_refused_before_the_work(tmp_path: Path) -> None:
    document = tmp_path / "load.md"
    with pytest.raises(OSError, match="No such file"):
        check_document(document, "soak kafka")
    document.write_text("<!-- soak kafka -->\n<!-- /soak kafka -->\n")
    document.with_suffix(".json").write_text("{}")
    with pytest.raises(ValueError, match=r"load\.json does not know 'soak kafka'"):
        check_document(document, "soak kafka")
    with pytest.raises(ValueError, match="expected the marks"):
        check_document(document, "soak embedded")


def test_the_canary_s_table_is_of_the_policy_beside_it_and_of_enough_runs() -> None:
    stored = stored_for(DOCS / "canary-simulation.md")
    assert stored["policy"] == read_policy(DOCS / "canary-policy.yaml").model_dump(mode="json")
    assert stored["runs"] >= 1_000
