"""`graftwork simulate` and `rollout plan` on the line: what they print, write, keep and refuse."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from controlplane.cli.app import main
from controlplane.cli.simulation import kept_rows
from controlplane.simulation.scenarios import SCENARIOS

BOTH = "canary: {metrics: [{name: error}, {name: wrong, margin: 0.05}]}\n"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text(BOTH)

    def run_one(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as stopped:
            main(list(arguments))
        said = capsys.readouterr()
        return Ran(int(stopped.value.code or 0), said.out, said.err)

    return run_one


def test_the_same_seed_gives_the_same_table_and_another_seed_another(run: Run) -> None:
    line = ("simulate", "policy.yaml", "--scenario", "errors-1-to-20", "--runs", "6", "--json")
    first, again, other = run(*line), run(*line), run(*line, "--seed", "1")
    assert first.out == again.out != other.out
    row = json.loads(first.out)[0]
    assert row["results"]["HARM"]["count"] == 6
    assert row["results"]["HARM"]["low"] == pytest.approx(0.5407, abs=1e-4)
    assert (row["scenario"], row["contender"], row["held"]) == ("errors-1-to-20", "graftwork", "unclear")


def test_two_processes_give_what_one_gives(run: Run) -> None:
    line = ("simulate", "policy.yaml", "--scenario", "missing-arm", "--runs", "30", "--baselines", "--json")
    assert run(*line, "--jobs", "2").out == run(*line).out


def test_every_scenario_is_listed_with_its_words(run: Run) -> None:
    listed = json.loads(run("simulate", "policy.yaml", "--scenario", "list", "--json").out)
    assert [entry["name"] for entry in listed] == list(SCENARIOS)
    assert all(entry["description"] and entry["applicable"] for entry in listed)


def test_a_broken_bound_is_exit_1(run: Run) -> None:
    Path("policy.yaml").write_text("canary: {harm_alpha: 0.5, metrics: [{name: error, margin: 0.4}]}\n")
    ran = run("simulate", "policy.yaml", "--scenario", "equal", "--runs", "40")
    assert "BROKEN (rolled back ≤ 4 %)" in ran.out
    assert ran.code == 1


def test_what_is_kept_is_not_played_again_and_makes_the_table_and_the_picture(run: Run) -> None:
    line = ("simulate", "policy.yaml", "--scenario", "errors-1-to-5", "--runs", "3", "--baselines", "--keep", "kept")
    run(*line)
    file = Path("kept/errors-1-to-5.json")
    planted = json.loads(file.read_text())
    planted["rows"][0]["results"]["HARM"]["share"] = 0.125
    file.write_text(json.dumps(planted))
    Path("table.md").write_text("before\n<!-- simulated -->\nold\n<!-- /simulated -->\nafter\n")
    run(*line, "--plot", "p.svg", "--markdown", "table.md")
    text = Path("table.md").read_text()
    assert "| 12.5 [" in text
    assert text.startswith("before\n")
    assert text.endswith("<!-- /simulated -->\nafter\n")
    assert "old" not in text
    assert "argo-tuned" in text
    picture = ElementTree.parse("p.svg").getroot()
    curves = [path for path in picture.iter("{http://www.w3.org/2000/svg}path") if "L" in path.get("d", "")]
    assert len(curves) == sum(bool(row["curve"]) for row in planted["rows"]) >= 6, "ours, and who ever rolled back"


def test_kept_rows_of_another_run_are_refused_and_ones_without_baselines_are_played_again(run: Run) -> None:
    line = ("simulate", "policy.yaml", "--scenario", "missing-arm", "--runs", "2", "--keep", "kept")
    run(*line)
    assert len(json.loads(run(*line, "--baselines", "--json").out)) == 7
    assert len(json.loads(run(*line, "--json").out)) == 1
    refused = run(*line, "--seed", "5")
    assert refused.code == 2
    assert "kept/missing-arm.json: made with another policy, or other --runs or --seed" in refused.err


@pytest.mark.parametrize(
    ("line", "policy", "expected"),
    [
        ("simulate policy.yaml --scenario nowhere", BOTH, "there is no scenario 'nowhere'"),
        ("simulate policy.yaml --scenario wrong-margin", "canary: {}", "needs the metric wrong"),
        (
            "simulate policy.yaml --scenario errors-1-to-5",
            "canary: {metrics: [{name: wrong, margin: 0.1}]}",
            "needs the metric error",
        ),
        ("simulate none.yaml", BOTH, "none.yaml: No such file"),
        ("simulate policy.yaml", "canary: {tick: 3}", "policy.yaml: canary.tick: expected no field of this name"),
        (
            "simulate policy.yaml",
            "canary: {metrics: [{name: wrong}]}",
            "canary.metrics.0.margin: expected a value: it is required",
        ),
        ("simulate policy.yaml", "model: 7\npolicy: {}", "policy.yaml: model: expected a string"),
        ("simulate policy.yaml", "model: m\npolicy: {canary: {steps: [0.9]}}", "steps must climb and end at 0.5"),
        ("simulate policy.yaml", "[1]", "expected an object with keys"),
        ("simulate policy.yaml --runs 0", BOTH, "greater than or equal to 1"),
        ("rollout plan", BOTH, "give --deployment NAME, or --policy FILE"),
        ("rollout plan --policy policy.yaml", BOTH, "with --policy give --rps and --stable-error"),
        ("rollout plan --policy policy.yaml --rps 5 --stable-error 0", BOTH, "give --stable-wrong"),
        ("rollout plan --policy policy.yaml --rps 5 --stable-error 1.5", BOTH, "less than or equal to 1"),
        ("rollout plan --policy policy.yaml --rps 5 --stable-error 0.1 --harm error", "{}", "as in error=0.05"),
        ("rollout plan --policy policy.yaml --rps 5 --stable-error 0.1 --harm wrong=0.2", "{}", "no metric `wrong`"),
        ("rollout plan --policy policy.yaml --rps 5 --stable-error 0.1 --harm error=0", "{}", "as in error=0.05"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(run: Run, line: str, policy: str, expected: str) -> None:
    Path("policy.yaml").write_text(policy)
    ran = run(*line.split())
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.count("\n") == 1
    assert expected in ran.err


def test_a_plan_in_words_and_as_json(run: Run) -> None:
    Path("quick.yaml").write_text(
        "canary: {steps: [0.5], step_seconds: 0, step_units: 1, metrics: [{name: error, margin: 0.4}]}\n"
    )
    line = ("rollout", "plan", "--policy", "quick.yaml", "--rps", "20", "--stable-error", "0", "--harm", "error=1")
    words = run(*line, "--runs", "5").out
    assert "a canary with 100.00% errors" in words
    assert "rolled back: 100.0% [47.8%, 100.0%]" in words
    plan = json.loads(run(*line, "--runs", "5", "--json").out)
    assert plan["traffic"]["units_per_second"] == 20
    assert plan["plan"]["harms"][0]["caught"]["count"] == 5
    assert plan["plan"]["healthy"]["promoted"]["count"] == 5


def test_traffic_that_can_never_promote_is_told_without_playing(run: Run) -> None:
    Path("slow.yaml").write_text("canary: {max_seconds: 600}\n")
    line = ("rollout", "plan", "--policy", "slow.yaml", "--rps", "0.5", "--stable-error", "0.01")
    told = run(*line).out
    assert "cannot be promoted: the steps need about" in told
    assert "nothing was played" in told
    assert json.loads(run(*line, "--json").out)["plan"]["healthy"] is None
    assert "promoted: 0.0%" in run(*line, "--runs", "2").out


def test_a_disk_that_fills_up_while_rows_are_kept_costs_none_that_were_kept_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rows.json"
    kept_rows.write(file, {"rows": ["of hours"]})

    def half(path: Path, text: str) -> None:
        path.write_bytes(text.encode()[: len(text) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="No space left"):
        kept_rows.write(file, {"rows": ["of hours", "and one more"]})
    assert json.loads(file.read_text()) == {"rows": ["of hours"]}
    assert list(tmp_path.iterdir()) == [file]
