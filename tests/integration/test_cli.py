"""The CLI against the live API: its exit codes, its JSON, and who followed what to which end."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from controlplane.cli.app import main
from controlplane.domain.audit import entry_digest
from controlplane.store.audit_chain import to_entry
from controlplane.store.audit_tables import AuditEntryRow
from controlplane.store.database import Database
from schemas.claims import CurvePoint
from schemas.facts import AuditRecorded
from schemas.jobs.curate import CurateSpec
from schemas.views.audit import AuditEntry
from tests.support.builders.planted import plant_job, plant_model, plant_version
from tests.support.builders.results import curated
from tests.support.builders.specs import CURATE, TRAIN
from tests.support.facts import apart
from tests.support.http_server import serving
from tests.support.jobs import Jobs
from tests.support.worlds.in_process import InProcess
from workers.curate.handler import handle as curate
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.context import Context
from workers.runtime.errors import JobError
from workers.runtime.sources import Sources


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.err == ""
        return json.loads(self.out)


Run = Callable[..., Ran]
LISTS = (
    "job list", "run list", "pipeline list", "trigger list", "trigger evaluations", "dataset list", "model list",
    "deployment list", "rollout list", "dlq list", "audit list",
)  # fmt: skip


@pytest.fixture
def jobs(sqlite_database: Database) -> Jobs:
    return Jobs(sqlite_database)


@pytest.fixture
def run(
    sqlite_database: Database,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Run]:
    site = InProcess(sqlite_database)
    token = tmp_path / "token"
    token.write_text(site.tokens["admin"] + "\n")
    monkeypatch.setenv("GRAFTWORK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    with serving(site.app) as url:

        def run_one(*arguments: str) -> Ran:
            with pytest.raises(SystemExit) as stopped:
                main([*arguments, "--api-url", url, "--token-file", str(token)])
            said = capsys.readouterr()
            return Ran(int(stopped.value.code or 0), said.out, said.err)

        yield run_one


@pytest.mark.parametrize("line", LISTS)
def test_an_empty_list_is_said_and_is_an_empty_list_in_json(run: Run, line: str) -> None:
    said = run(*line.split())
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("no")
    assert run(*line.split(), "--json").json == []


def test_a_job_is_requested_followed_and_shown(run: Run, jobs: Jobs, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps(CURATE))
    job = run("job", "request", "curate", str(spec), "--json").json["id"]
    assert [one["id"] for one in run("job", "list", "--json").json] == [job]
    jobs.complete(jobs.claimed(), curated())
    followed = run("job", "get", job, "-w")
    assert (followed.code, followed.err) == (0, "")
    assert "Succeeded" in followed.out
    assert run("--json", "job", "get", job).json["phase"] == "Succeeded"
    assert "Succeeded" in run("job", "list").out


def test_the_curve_of_a_job_is_drawn_and_a_private_job_says_why_it_has_none(run: Run, jobs: Jobs) -> None:
    jobs.request()
    dataset = (jobs.complete(jobs.claimed(), curated()).outputs or {})["dataset"]
    job = str(jobs.request("train", TRAIN | {"dataset": dataset}))
    assert run("job", "curves", job).out == "none were measured\n"
    jobs.beat(jobs.claimed("train"), curve=[CurvePoint(step=step, values={"loss": 1 / step}) for step in (1, 2, 4)])
    drawn = run("job", "curves", job).out
    assert drawn.startswith("loss: 1 to 0.25, least 0.25 at step 4\n█▃▁\n")
    assert [line.split() for line in drawn.splitlines()[-3:]] == [["1", "1"], ["2", "0.5"], ["4", "0.25"]]
    assert run("job", "curves", job, "--json").json["curves"][0]["steps"] == [1, 2, 4]
    private = str(
        jobs.request(
            "train", TRAIN | {"dataset": dataset, "method": {"type": "head"}, "privacy": {"epsilon": 8, "delta": 1e-5}}
        )
    )
    assert "trains privately" in run("job", "curves", private).out


def test_following_what_ends_badly_is_exit_1(run: Run, jobs: Jobs) -> None:
    job = str(jobs.request())
    assert run("job", "cancel", job).code == 0
    ended = run("job", "get", job, "-w", "--json")
    assert ended.code == 1
    assert json.loads(ended.out)["phase"] == "Cancelled"


def test_what_the_api_refuses_is_one_line_and_exit_2(run: Run, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps({**CURATE, "operators": [{"op": "word_count", "min_words": -1}]}))
    refused = run("job", "request", "curate", str(spec), "--json")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("graftwork: The request is understood and wrong: spec.operators.0.min_words: ")
    assert refused.err.count("\n") == 1
    missing = run("model", "get", "sentiment@champion")
    assert missing.code == 2
    assert missing.err.startswith("graftwork: There is no such thing: ")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run list --pipeline nope", "there is no pipeline 'nope'"),
        ("trigger evaluations nope", "there is no trigger 'nope', and never was"),
        ("rollout list --deployment nope", "there is no deployment 'nope'"),
        ("deployment get a/b", "there is nothing at /v1/deployments/a/b"),
    ],
)
def test_a_name_that_nothing_has_is_no_empty_list(run: Run, line: str, said: str) -> None:
    ran = run(*line.split())
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


@contextmanager
def one_curation(jobs: Jobs, home: Path) -> Iterator[None]:
    """A worker that curates the next job that is asked for, and fails it as workers do where the curation says so."""
    stopped = Event()

    def work() -> None:
        while (claim := jobs.claim()) is None:
            if stopped.wait(0.05):
                return
        store = ArtifactStore((home / "artifacts").as_uri(), home / "cache")
        context = Context(store, Sources(home / "cache", file_roots=(home,)), home, lambda _said: None)
        try:
            jobs.complete(claim, curate(CurateSpec.model_validate(claim.spec), context))
        except JobError as error:
            jobs.fail(claim, error.reason, retryable=error.retryable)

    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(30)


@pytest.mark.parametrize(
    ("header", "options", "said"),
    [
        ("body,queue", "--text body --label nope", "--label names column 'nope', which no row has; found: 'body', "),
        ("body,queue", "--text nope --label queue", "--text names column 'nope', which no row has; found: 'body', "),
        ("body,queue", "", "--text names column 'text', which no row has; found: 'body', 'queue'"),
        ("body,queue", "--text body --label queue --group nope", "--group names column 'nope', which no row has"),
        ("body,queue", "--row-schema messages", "its columns are no messages: expected messages, or conversations"),
        ("prompt,completion", "", "prompt_completion: set --row-schema to prompt_completion, or name its columns in "),
        ("text,label", "", "expected at least two labels"),
    ],
)
def test_an_import_whose_file_or_options_are_wrong_is_one_line_and_exit_2(
    run: Run, jobs: Jobs, tmp_path: Path, header: str, options: str, said: str
) -> None:
    file = tmp_path / "my tickets.csv"
    file.write_text(f"{header}\none,two\nthree,two\n")
    with one_curation(jobs, tmp_path / "home"):
        refused = run("dataset", "import", "tickets", str(file), *options.split(), "--json")
    assert (refused.code, refused.out) == (2, "")
    line = refused.err.splitlines()[-1]
    assert line.startswith(f"graftwork: {file}: ")
    assert said in line
    assert refused.err.count(said) == 1
    assert "sha256" not in refused.err


@pytest.mark.parametrize(
    "line",
    [
        "deployment get reviws", "deployment history reviws", "rollout list --deployment reviws", "predict reviws text",
        "deployment rollback reviws --reason r", "rollout start reviws sentiment/1 --reason r", "pipeline get reviws",
        "run list --pipeline reviws", "pipeline run reviws", "trigger get reviws", "trigger delete reviws",
        "trigger evaluations reviws", "dataset versions reviws", "dataset get reviws@latest", "model get reviws/1",
        "model history reviws champion",
    ],
)  # fmt: skip
def test_a_name_that_is_nearly_one_is_told_which(run: Run, jobs: Jobs, tmp_path: Path, line: str) -> None:
    jobs.request()
    jobs.complete(jobs.claimed(), curated(dataset="reviews"))
    with jobs.database.begin("test") as uow:
        plant_model(uow, "reviews")
        plant_model(uow)
        plant_version(uow, plant_job(uow), 1)
    files = {
        "deployment": {"name": "reviews", "model": "sentiment"},
        "pipeline": {"name": "reviews", "stages": {"curate": {"kind": "curate", "spec": CURATE}}},
        "trigger": {"name": "reviews", "pipeline": "reviews", "types": ["com.example.a"], "sources": ["//s"]},
    }
    for noun, document in files.items():
        (tmp_path / noun).write_text(json.dumps(document))
        assert run(noun, "apply", str(tmp_path / noun)).code == 0
    ran = run(*line.split())
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "'reviws" in ran.err
    assert ran.err.endswith("; did you mean 'reviews'?\n")


@pytest.mark.parametrize("text", ["zzzz", "3f2", "not-an-id"])
def test_what_is_no_id_is_told_what_one_looks_like(run: Run, text: str) -> None:
    ran = run("job", "get", text)
    assert (ran.code, ran.out) == (2, "")
    assert f"{text!r} is no job id: expected 32 hexadecimal digits" in ran.err


def test_a_token_that_is_none_is_refused_with_where_it_is_looked_for(run: Run, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("another")
    ran = run("job", "list")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "GRAFTWORK_TOKEN_FILE or --token-file, or from admin.token in GRAFTWORK_HOME or --home" in ran.err


def test_a_minted_token_stands_alone_on_stdout(run: Run) -> None:
    made = run("token", "create", "--role", "worker", "--name", "serve")
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith("gw_")
    assert made.out.count("\n") == 1
    named = {one["name"]: one for one in run("token", "list", "--json").json}
    assert named["serve"]["role"] == "worker"
    assert made.out.strip() not in run("token", "list").out
    assert run("token", "revoke", named["serve"]["id"]).out == "revoked\n"


def test_events_are_published_and_listed_one_a_line(run: Run) -> None:
    published = run("events", "publish", "--type", "com.example.rows", "--source", "//s", "--id", "e1", "--data", "[1]")
    assert (published.code, published.err) == (1, "graftwork: no trigger took it\n")
    assert published.out.startswith("e1: received")
    again = run("events", "publish", "--type", "com.example.rows", "--source", "//s", "--id", "e1", "--json")
    assert (again.code, json.loads(again.out)["repeated"]) == (1, True)
    lines = [json.loads(line) for line in run("events", "list", "--audit", "--json").out.splitlines()]
    facts, asked = apart(lines)
    assert [event["type"] for event in facts] == ["dev.graftwork.event.received.v1"]
    assert [event["data"]["action"] for event in asked] == 2 * ["event.publish"]
    assert "event.received" in run("events", "list").out


def test_the_newest_events_are_listed_in_their_order_and_without_those_of_the_audit_log(run: Run, jobs: Jobs) -> None:
    def listed(*more: str) -> list[str]:
        told = [json.loads(line) for line in run("events", "list", "--json", *more).out.splitlines()]
        return [fact["subject"] if fact["type"].endswith("job.requested.v1") else fact["type"] for fact in told]

    made = [f"job/{jobs.request()}" for _ in range(3)]
    assert run("token", "create", "--role", "viewer", "--name", "ci").code == 0
    assert listed() == made
    assert listed("--limit", "2") == made[1:]
    assert listed("--limit", "2", "--after", "0") == made[:2]
    assert listed("--limit", "2", "--audit") == [made[2], AuditRecorded.TYPE]
    assert listed("--type", "audit.recorded") == [AuditRecorded.TYPE]
    assert run("events", "list", "--limit", "0").code == 2


def test_what_has_ended_badly_at_once_is_exit_1_without_waiting_too(run: Run, jobs: Jobs, tmp_path: Path) -> None:
    pipeline, deployment = tmp_path / "pipeline.yaml", tmp_path / "deployment.yaml"
    pipeline.write_text("name: p\nparams: {dataset: rows}\nstages: {a: {kind: curate, spec: {parent: nobody@latest}}}")
    assert run("pipeline", "apply", str(pipeline)).code == 0
    failed = run("pipeline", "run", "p", "--json")
    assert (failed.code, json.loads(failed.out)["phase"]) == (1, "Failed")
    assert json.loads(failed.out)["reason"].count("spec.parent: ") == 1
    assert run("pipeline", "run", "p", "-w").code == 1
    pipeline.write_text(json.dumps({"name": "p", "stages": {"a": {"kind": "curate", "spec": CURATE}}}))
    assert run("pipeline", "apply", str(pipeline)).code == 0
    assert run("pipeline", "run", "p").code == 0
    gate = {"gate": "metric", "metric": "accuracy", "dataset": "reviews", "min_rows": 5, "minimum": 0.9}
    deployment.write_text(json.dumps({"name": "d", "model": "sentiment", "policy": {"gates": [gate]}}))
    assert run("deployment", "apply", str(deployment)).code == 0
    with jobs.database.begin("test") as uow:
        plant_model(uow)
        version = plant_version(uow, plant_job(uow), 1).id
    aborted = run("rollout", "start", "d", str(version), "--reason", "r", "--json")
    assert (aborted.code, json.loads(aborted.out)["phase"]) == (1, "Aborted")


def test_an_event_whose_data_a_trigger_cannot_use_is_told_by_the_exit_code(run: Run, tmp_path: Path) -> None:
    pipeline, trigger = tmp_path / "pipeline.yaml", tmp_path / "trigger.yaml"
    pipeline.write_text(
        "name: rows\nparams: {limit: 10}\nstages: {curate: {kind: curate, spec: {dataset: rows, "
        "sources: [{uri: 'file:///x', limit: '${params.limit}'}]}}}"
    )
    trigger.write_text(
        "name: new\npipeline: rows\ntypes: [com.example.rows]\nsources: ['//s']\nparams: {limit: '${event.data.limit}'}"
    )
    assert run("pipeline", "apply", str(pipeline)).code == 0
    assert run("trigger", "apply", str(trigger)).code == 0
    event = ("events", "publish", "--type", "com.example.rows", "--source", "//s", "--data")
    for more in ((), ("--json",)):
        said = run(*event, "{}", *more)
        assert (said.code, "invalid" in said.out) == (1, True), said
    assert run(*event, '{"limit": 3}').code == 0


def test_a_token_that_is_refused_names_the_address_that_was_asked(run: Run, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("gw_of_another_site")
    said = run("job", "list")
    assert said.code == 2
    assert re.search(r"\(http://127\.0\.0\.1:\d+ was asked\)", said.err), said.err


def test_a_cancelled_job_is_retried_on_its_journey(run: Run, jobs: Jobs) -> None:
    first = str(jobs.request())
    assert run("job", "retry", first).code == 2
    run("job", "cancel", first)
    ended = run("job", "get", first, "--json").json
    again = run("job", "retry", first[:8], "--json").json
    assert again["id"] != first
    assert (again["phase"], again["spec"], again["max_attempts"]) == ("Pending", ended["spec"], ended["max_attempts"])
    assert again["correlationid"] == ended["correlationid"]
    facts = [json.loads(line) for line in run("events", "list", "--json").out.splitlines()]
    of_first = [fact["id"] for fact in facts if fact["subject"] == f"job/{first}"]
    [of_again] = [fact for fact in facts if fact["subject"] == f"job/{again['id']}"]
    assert of_again["causationid"] == of_first[-1]


def test_one_screen_says_what_goes_on(run: Run, jobs: Jobs) -> None:
    job = str(jobs.request())
    said = run("status")
    assert (said.code, said.err) == (0, "")
    assert job in said.out
    assert "WAITS FOR A PERSON\nnothing" in said.out
    found = run("status", "--json").json
    assert [one["id"] for one in found["jobs"]] == [job]
    assert found["info"]["source"]
    assert (found["deployments"], found["rollouts"], found["dead_letters"]) == ([], [], 0)


def test_a_deployment_that_is_not_there_cannot_be_asked(run: Run) -> None:
    refused = run("predict", "nobody", "a text")
    assert (refused.code, refused.out) == (2, "")
    assert "nobody" in refused.err


def test_feedback_to_no_answer_is_refused(run: Run) -> None:
    refused = run("feedback", "made-up", "positive")
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("said", [[], ["good", "--reference", "answer.txt"]], ids=["nothing", "both"])
def test_feedback_says_one_thing(run: Run, said: list[str]) -> None:
    refused = run("feedback", "made-up", *said)
    assert (refused.code, refused.out) == (2, "")
    assert "give a label or --reference" in refused.err


def a_token_made_and_a_rollback_refused(run: Run) -> None:
    assert run("token", "create", "--role", "viewer", "--name", "=ci").code == 0
    assert run("deployment", "rollback", "nobody", "--reason", "in haste").code == 2


def test_the_audit_log_is_listed_filtered_and_shown(run: Run) -> None:
    a_token_made_and_a_rollback_refused(run)
    refused, made = run("audit", "list", "--json").json
    assert (refused["action"], refused["outcome"], refused["reason"]) == ("deployment.rollback", "refused", "in haste")
    assert (made["action"], made["outcome"], made["actor"]) == ("token.create", "done", "admin")
    for wanted in (
        ("--outcome", "refused"),
        ("--action", "deployment"),
        ("--subject", "deployment/nobody"),
        ("--limit", "1"),
    ):
        assert run("audit", "list", "--json", *wanted).json == [refused], wanted
    assert run("audit", "list", "--json", "--actor", "somebody").json == []
    assert run("audit", "list", "--json", "--since", "2999-01-01T00:00:00Z").json == []
    table = run("audit", "list").out
    assert "token.create" in table
    assert "in haste" in table
    assert run("audit", "show", "1", "--json").json == run("audit", "show", made["id"], "--json").json == made
    assert "viewer" in run("audit", "show", "1").out
    assert run("audit", "show", "7").code == 2


def test_an_export_of_the_audit_log_can_be_verified_elsewhere(run: Run, tmp_path: Path) -> None:
    a_token_made_and_a_rollback_refused(run)
    exported = run("audit", "export").out
    assert [json.loads(line)["seq"] for line in exported.splitlines()] == [1, 2]
    assert run("audit", "export", "--since", "2999-01-01T00:00:00Z").out == ""
    assert run("audit", "export", "--until", "1999-01-01T00:00:00Z").out == ""
    file = tmp_path / "audit.jsonl"
    file.write_text(exported)
    kept = run("audit", "verify", "--file", str(file))
    assert kept.code == 0
    assert kept.out.startswith("2 entries, 0 faults")
    assert "the file ends with entry 2 of" in kept.out
    assert "cannot be seen in a file" in kept.out
    assert "as the log does" in run("audit", "verify", "--file", str(file), "--against-api").out
    file.write_text(exported.splitlines()[0])
    cut = run("audit", "verify", "--file", str(file))
    assert (cut.code, "ends with entry 1 of" in cut.out, "cut off its end" in cut.out) == (0, True, True)
    assert "goes on with 1 more" in run("audit", "verify", "--file", str(file), "--against-api").out
    file.write_text(exported.replace("in haste", "on purpose"))
    changed = run("audit", "verify", "--file", str(file), "--json")
    assert changed.code == 1
    assert changed.json["faults"] == ["entry 2 is not what its digest was made of"]
    rows = list(csv.DictReader(io.StringIO(run("audit", "export", "--csv").out)))
    assert [row["action"] for row in rows] == ["token.create", "deployment.rollback"]
    assert not [value for row in rows for value in row.values() if value[:1] in set("=+-@")]


def test_an_export_that_was_made_again_whole_differs_from_the_log(run: Run, tmp_path: Path) -> None:
    a_token_made_and_a_rollback_refused(run)
    first, last = map(AuditEntry.model_validate_json, run("audit", "export").out.splitlines())
    forged = last.model_copy(update={"reason": "on purpose"})
    forged = forged.model_copy(update={"digest": entry_digest(forged)})
    file = tmp_path / "audit.jsonl"
    file.write_text(f"{first.model_dump_json()}\n{forged.model_dump_json()}\n")
    assert run("audit", "verify", "--file", str(file)).code == 0
    compared = run("audit", "verify", "--file", str(file), "--against-api", "--json")
    assert (compared.code, compared.json["faults"]) == (1, ["entry 2 of the file has another digest in the log"])
    third = forged.model_copy(update={"seq": 3, "previous": forged.digest})
    third = third.model_copy(update={"digest": entry_digest(third)})
    file.write_text(f"{file.read_text()}{third.model_dump_json()}\n")
    assert "entry 3 of the file is not in the log" in run("audit", "verify", "--file", str(file), "--against-api").out


@pytest.mark.parametrize("content", [b"seq,id,at\n1,2,3\n", b'{"seq": 1}\n', b"\xff\xfe{\x00", b"[]"])
def test_what_is_no_export_as_json_lines_is_refused_in_words(run: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "audit.csv"
    file.write_bytes(content)
    refused = run("audit", "verify", "--file", str(file))
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert f"{file}, line 1: expected an entry of the audit log" in refused.err
    assert "without --csv" in refused.err
    assert run("audit", "verify", "--against-api").code == 2


def test_an_entry_is_shown_without_what_is_nothing(run: Run) -> None:
    a_token_made_and_a_rollback_refused(run)
    shown = run("audit", "show", "1").out
    assert "after: viewer" in shown
    assert "null" not in shown
    assert "suppressed" not in shown


def test_an_entry_that_was_changed_in_the_database_fails_the_verification(run: Run, sqlite_database: Database) -> None:
    a_token_made_and_a_rollback_refused(run)
    assert run("audit", "verify").out.startswith("2 entries, 0 faults")
    with sqlite_database.begin("insider") as uow:
        row = uow.session.get(AuditEntryRow, 1)
        assert row is not None
        row.actor = "somebody else"
        row.digest = entry_digest(to_entry(row))
    verified = run("audit", "verify")
    assert verified.code == 1
    assert "entry 1 has another digest than the event log tells of" in verified.out
    assert "2 entries, 2 faults" in verified.out
