"""The command line: global options anywhere, help for every verb, one line and an exit code for what was refused."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup, TyperOption

from controlplane.cli.app import GLOBAL_OPTIONS, graftwork, hoist, main
from controlplane.client import connection
from controlplane.settings import VERSION
from tests.support.ports import free_ports

GRAFTWORK = typer.main.get_command(graftwork())
ROOT = Path(__file__).parents[4]


def verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from verbs(child, (*path, name))


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The one line on stderr, and nothing on stdout."""
        assert self.out == ""
        assert self.err.startswith("graftwork: ")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("graftwork: ").rstrip()


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    for name in ("GRAFTWORK_HOME", "GRAFTWORK_TOKEN", "GRAFTWORK_API_URL", "GRAFTWORK_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)

    def run_one(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as stopped:
            main(list(arguments))
        said = capsys.readouterr()
        return Ran(int(stopped.value.code or 0), said.out, said.err)

    return run_one


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("job list --json", "--json job list"),
        ("--json job list", "--json job list"),
        ("job --home x list --json", "--home x --json job list"),
        ("job list --home=x --phase Running", "--home=x job list --phase Running"),
        ("job list --token-file t --api-url http://a", "--token-file t --api-url http://a job list"),
        ("job list --home", "--home job list"),
        ("worker train --json", "worker train --json"),
        ("--home x worker train --home y", "--home x worker train --home y"),
        ("serve --deployment d --json", "serve --deployment d --json"),
        ("token create --name worker --role serve --json", "--json token create --name worker --role serve"),
        ("job list -- --json", "job list -- --json"),
        ("", ""),
    ],
)
def test_global_options_may_stand_anywhere_and_what_another_program_reads_stays(line: str, expected: str) -> None:
    assert hoist(line.split()) == expected.split()


def test_the_hoisted_options_are_those_of_the_command() -> None:
    known = {option: 0 if parameter.is_flag else 1 for parameter in GRAFTWORK.params
             if isinstance(parameter, TyperOption) for option in parameter.opts}  # fmt: skip
    assert {name: count for name, count in known.items() if not name.endswith("completion")} == GLOBAL_OPTIONS


OTHER_PROGRAMS = {("worker",): "--name NAME", ("serve",): "--deployment DEPLOYMENT"}
"""Verbs that another program reads, and what it says of itself."""


@pytest.mark.parametrize("path", [path for path in verbs(GRAFTWORK) if path not in OTHER_PROGRAMS], ids=" ".join)
def test_every_verb_has_help(run: Run, path: tuple[str, ...]) -> None:
    ran = run(*path, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert "Usage: graftwork" in ran.out


@pytest.mark.parametrize(("path", "option"), OTHER_PROGRAMS.items())
def test_help_of_another_program_is_its_own(path: tuple[str, ...], option: str, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "controlplane", *path, "--help"]
    done = subprocess.run(
        line, cwd=ROOT, env=os.environ | {"GRAFTWORK_HOME": str(tmp_path)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: graftwork {path[0]} ")
    assert option in done.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("worker nope", "graftwork worker: argument kinds: invalid choice: 'nope'"),
        ("worker", "graftwork worker: the following arguments are required: kinds"),
        ("serve --deployment d", "graftwork serve: the following arguments are required: --port"),
        ("serve --deployment d --port x", "graftwork serve: argument --port: invalid int value: 'x'"),
    ],
)
def test_another_program_too_refuses_in_one_line(line: str, said: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "controlplane", *line.split()]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"GRAFTWORK_HOME": str(tmp_path)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(said)


@pytest.mark.parametrize(
    "line",
    [
        ["job", "get", ""], ["job", "cancel", ""], ["job", "logs", ""], ["dataset", "versions", ""],
        ["dataset", "get", "rows/"], ["model", "get", ""], ["model", "history", "", "champion"], ["run", "get", ""],
        ["trigger", "get", ""], ["deployment", "rollback", "", "--reason", "x"], ["rollout", "decisions", ""],
        ["rollout", "hold", "", "--reason", "x"], ["why", ""], ["dlq", "replay", ""], ["token", "revoke", ""],
    ],
    ids=" ".join,
)  # fmt: skip
def test_no_name_is_refused_before_anything_is_asked(run: Run, line: list[str]) -> None:
    """Without one the path is another route's, or nobody's."""
    ran = run(*line)
    assert ran.code == 2
    assert ran.refusal.endswith(": expected a name or an id, got ''")


@pytest.mark.parametrize(
    "line",
    ["job list", "status", "predict own a", "dataset import d a.csv", "events list", "rollout plan --deployment d"],
)
def test_a_home_that_is_not_there_is_said_and_not_made(run: Run, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    Path("a.csv").write_text("text,label\n")
    said = "home nowhere: no such folder; expected one that `graftwork up --home` has made"
    for named in ({"GRAFTWORK_HOME": "nowhere"}, {}):
        for name, value in named.items():
            monkeypatch.setenv(name, value)
        ran = run(*line.split(), *(() if named else ("--home", "nowhere")))
        assert (ran.code, ran.refusal, Path("nowhere").exists()) == (2, said, False)
    Path("nowhere").write_text("a file")
    assert run(*line.split()).refusal == said


def test_a_home_is_not_needed_where_address_and_token_are_given(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "WAITS", ())
    monkeypatch.setenv("GRAFTWORK_TOKEN", "t")
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    assert run("job", "list", "--home", "nowhere", "--api-url", url).code == 3


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_text_is_not_asked(run: Run, text: str) -> None:
    ran = run("predict", "own", text, "--gateway", "http://127.0.0.1:1")
    assert (ran.code, ran.refusal) == (2, f"expected a text, got {text!r}")


def test_the_version_is_one_line_or_json(run: Run) -> None:
    assert run("version").out == f"{VERSION}\n"
    assert json.loads(run("version", "--json").out) == {"version": VERSION}


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("frobnicate", "No such command 'frobnicate'"),
        ("job list --nonsense", "No such option: --nonsense"),
        ("job get", "Missing argument 'job_id'"),
        ("job list --limit many", "--limit': expected integer"),
        ("job list --limit 0", "--limit': expected greater than or equal to 1"),
        ("deployment history d --limit -1", "--limit': expected greater than or equal to 1"),
        ("job list --api-url nonsense", "api_url: expected http:// or https:// and a host, got 'nonsense'"),
        ("job list --api-url ftp://a", "api_url: expected http:// or https:// and a host, got 'ftp://a'"),
        ("job list --api-url http://a:99999", "api_url: expected http:// or https:// and a host, got 'http://a:99999'"),
        ("job list --api-url http://me:hidden@", "got 'http://…@'"),
        ("dataset import d .", ".: expected a file, and it is a folder"),
        ("dataset import d /dev/null", "/dev/null: expected a file, and it is a device"),
        ("dataset import d a.pipe", "a.pipe: expected a file, and it is a pipe: write to a file what comes out of it"),
        ("token create --name x --role root", "--role: 'root': expected one of viewer, "),
        ("pipeline apply nowhere.yaml", "nowhere.yaml: No such file or directory"),
        ("pipeline apply .", ".: Is a directory"),
        ("pipeline apply list.yaml", "list.yaml: expected an object with keys, found a list"),
        ("pipeline apply nameless.yaml", "nameless.yaml: name: expected a value: it is required"),
        ("pipeline apply numbered.yaml", "numbered.yaml: name: expected text, got 5"),
        ("deployment apply twice.yaml", "key 'tick_seconds' is written twice at line 2, column 27"),
        ("deployment apply merged.yaml", "merge keys (`<<`) are not read here at line 2"),
        ("deployment apply nan.yaml", "nan.yaml: policy.margin: nan is not JSON, expected a finite number"),
        ("deployment apply huge.yaml", "huge.yaml: not readable as YAML or JSON: an integer beyond 64 bits at line 1"),
        ("deployment apply deep.yaml", "deep.yaml: not readable as YAML or JSON: nested too deeply"),
        ("job request train broken.yaml", "broken.yaml: not readable as YAML or JSON: "),
        ("job request train latin.yaml", "latin.yaml: not UTF-8: "),
        ("pipeline run p limit", "'limit': expected key=value"),
        ("pipeline run p limit=[1", "'limit=[1': not readable as YAML or JSON: "),
        ("pipeline run p limit=1 limit=2", "'limit=2': limit is given twice"),
        ("pipeline run p limit=.inf", "'limit=.inf': inf is not JSON, expected a finite number"),
        ("events publish --type a.b --source //s --data {", "--data: not JSON: "),
        ("dataset import d nowhere.csv", "nowhere.csv: no such file"),
        ("dataset import d list.yaml --test 1.5", "test: expected a fraction of the rows below 1, or a whole number"),
        ("dataset import d list.yaml --validation 2.25", "validation: expected a fraction of the rows below 1, or a"),
        ("dataset import d list.yaml --test -0.1", "test: expected at least 0"),
        ("relay", "GRAFTWORK_KAFKA_BOOTSTRAP_SERVERS is not set"),
        ("job list --token-file .", "GRAFTWORK_TOKEN_FILE: expected a file that holds a token, got '.'"),
        ("job list --token-file nowhere", "GRAFTWORK_TOKEN_FILE: expected a file that holds a token, got 'nowhere'"),
        ("model alias m a v --expected x --reason r", "--expected: 'x': expected the id of a move"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(run: Run, line: str, what: str) -> None:
    os.mkfifo("a.pipe")
    Path("list.yaml").write_text("- 1")
    Path("nameless.yaml").write_text("stages: []")
    Path("numbered.yaml").write_text("name: 5")
    Path("twice.yaml").write_text("name: a\npolicy: {tick_seconds: 1, tick_seconds: 2}")
    Path("merged.yaml").write_text("name: a\npolicy: {<<: {tick_seconds: 1}}")
    Path("nan.yaml").write_text("name: a\npolicy: {margin: .nan}")
    Path("huge.yaml").write_text("name: " + "9" * 5000)
    Path("deep.yaml").write_text("name: " + "[" * 3000)
    Path("broken.yaml").write_text("a: [")
    Path("latin.yaml").write_bytes(b"name: \xe9")
    ran = run(*line.split())
    assert ran.code == 2
    assert what in ran.refusal


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("PORT", "abc", "GRAFTWORK_PORT: expected a whole number, got 'abc'"),
        ("PORT", "70000", "GRAFTWORK_PORT: expected at most 65535, got '70000'"),
        ("LOG_LEVEL", "LOUD", "GRAFTWORK_LOG_LEVEL: expected 'DEBUG', 'INFO'"),
        ("JOB_LEASE_SECONDS", "-1", "GRAFTWORK_JOB_LEASE_SECONDS: expected more than 0.0, got '-1'"),
        (
            "DATABASE_URL",
            "mysql://me:hidden@db/x",
            "GRAFTWORK_DATABASE_URL: expected postgresql+psycopg://",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_unless_it_is_a_secret(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, what: str
) -> None:
    monkeypatch.setenv(f"GRAFTWORK_{name}", value)
    ran = run("job", "list")
    assert ran.code == 2
    assert ran.refusal.startswith(what)
    assert "hidden" not in ran.err


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all.db", "postgresql+psycopg://u:hidden@127.0.0.1:{port}/x"])
def test_a_database_that_cannot_be_opened_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("GRAFTWORK_DATABASE_URL", url.format(port=free_ports(1)[0]))
    ran = run("db", "upgrade")
    assert ran.code == 2
    assert ran.refusal.startswith("the database cannot be opened: ")
    assert "hidden" not in ran.err


def test_no_api_is_exit_3_and_says_what_to_start(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "WAITS", ())
    ran = run("job", "list", "--api-url", f"http://127.0.0.1:{free_ports(1)[0]}", "--json")
    assert ran.code == 3
    assert ran.refusal.endswith("; is `graftwork up` running?")
