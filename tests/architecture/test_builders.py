"""What versions, results, specs and datasets are is said in tests/support/builders, and nowhere else in the tests."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, get_args

import pytest

from schemas.jobs import JobResult, JobSpec
from schemas.model.tasks import FeatureRecipe

TESTS: Final = Path(__file__).parents[1]
BUILDERS: Final = TESTS / "support" / "builders"
DOCUMENTS: Final = {of.__name__ for union in (JobSpec, JobResult) for of in get_args(get_args(union)[0])}
PARTS: Final = {
    "ArtifactRef", "AttackConditions", "BaseIdentity", "Conditions", "DatasetManifest", "DatasetPart", "DatasetRef",
    "GraphRef", "Interval", "LowRank", "Measurement", "MergeSource", "ModelIdentity", "ModelRef", "Paired",
    "PairedMean", "PrivacyLabel", "ServedVersion", "Source", "TextClassification", "TextGeneration", "VersionResult",
}  # fmt: skip
ROWS: Final = {
    "AttachmentRow", "DatasetRow", "DatasetVersionRow", "JobRow", "ModelVersionRow",
    "RegisteredModelRow",
}  # fmt: skip
BASES: Final = {"BertConfig", "BertModel", "LlamaConfig", "LlamaForCausalLM", "RobertaConfig", "RobertaModel"}
MADE_BY_BUILDERS: Final = DOCUMENTS | PARTS | ROWS | BASES
MADE_IN: Final = ("schemas", "controlplane", "workers", "transformers")
RECIPES: Final = get_args(FeatureRecipe)
ADVICE: Final = "make it with tests/support/builders, so that its next field is one edit"


def made(source: str) -> Iterator[tuple[int, str]]:
    """Line and words of each place that makes what a builder should."""
    tree = ast.parse(source)
    ours = _imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := _class_made(node, ours)) in MADE_BY_BUILDERS:
            yield node.lineno, f"makes a {name}"
        elif isinstance(node, ast.Constant) and node.value in RECIPES:
            yield node.lineno, f"names the recipe {node.value}"
        elif isinstance(node, ast.Dict) and "feature_recipe" in map(_text, node.keys):
            yield node.lineno, "spells an identity out"


def _imported(tree: ast.Module) -> dict[str, str]:
    """Classes by the name that a module gives them: a class of its own may be called as one of the product's."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if (node.module or "").partition(".")[0] in MADE_IN]
    return {one.asname or one.name: one.name for node in ours for one in node.names}


def _class_made(call: ast.Call, ours: Mapping[str, str]) -> str:
    """Its name when the call makes an instance; reading one from elsewhere makes none."""
    function = call.func
    if isinstance(function, ast.Attribute) and function.attr in ("model_validate", "model_construct"):
        read = all(isinstance(one, ast.Attribute | ast.Subscript | ast.Call) for one in call.args)
        return "" if read and call.args else _name(function.value, ours)
    return _name(function, ours)


def _name(node: ast.expr, ours: Mapping[str, str]) -> str:
    """Of the class: imported by its name, or an attribute of an imported module."""
    if isinstance(node, ast.Attribute):
        return node.attr if isinstance(node.value, ast.Name) else ""
    return ours.get(node.id, "") if isinstance(node, ast.Name) else ""


def _text(key: ast.expr | None) -> object:
    return key.value if isinstance(key, ast.Constant) else None


MODULES: Final = sorted({*TESTS.rglob("*.py")} - {*BUILDERS.rglob("*.py"), Path(__file__)})


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TESTS)))
def test_only_builders_make_what_they_build(path: Path) -> None:
    found = [f"{path.relative_to(TESTS)}:{line} {what}" for line, what in made(path.read_text())]
    assert not found, f"{found}: {ADVICE}"


def test_the_names_are_those_of_classes_that_there_are() -> None:
    """A class that is renamed takes its guard with it."""
    written = "\n".join(path.read_text() for path in BUILDERS.glob("*.py"))
    assert {name for name in MADE_BY_BUILDERS if name not in written} == set()


# --- the check itself, on planted makers --------------------------------------------------------------------------

SPEC: Final = "from schemas.jobs import EvaluateSpec"


@pytest.mark.parametrize(
    "source",
    [
        "from schemas.jobs import TrainResult; TrainResult(rows=8)",
        "from schemas.jobs import TrainResult as Made; Made(rows=8)",
        "from schemas import jobs; jobs.TrainResult(rows=8)",
        f"{SPEC}; EvaluateSpec.model_validate({{'dataset': rows}})",
        f"{SPEC}; EvaluateSpec.model_validate(asked | {{'split': 'test'}})",
        f"{SPEC}; EvaluateSpec.model_validate(asked)",
        "from schemas.artifacts import ModelRef; ModelRef.model_construct(id=1)",
        "from controlplane.store import tables; tables.ModelVersionRow(model='m')",
        f"recipe = {RECIPES[0]!r}",
        "{'feature_recipe': recipe, 'r': 2}",
    ],
)
def test_a_maker_is_found(source: str) -> None:
    assert len(list(made(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "trained(rows=8)",
        "from schemas.jobs import ExportResult; ExportResult.model_validate(attachment.data)",
        "from schemas.artifacts import ArtifactRef; ArtifactRef.model_validate(result['manifest'])",
        "from schemas.data.manifest import DatasetManifest; DatasetManifest.model_validate_json(store.read(ref))",
        "from schemas.jobs import TrainResult; isinstance(result, TrainResult)",
        "('train', 'feature_recipe', 'other')",
        "class Source: ...\nSource(uri='x')",
        "from tests.trials.mutations import Source; Source(uri='x')",
    ],
)
def test_a_reader_is_none(source: str) -> None:
    assert list(made(source)) == []
