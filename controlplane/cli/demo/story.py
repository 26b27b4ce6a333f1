"""`graftwork demo`: the main job on this machine, told so that a newcomer can follow it."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import typer
from rich.markup import escape

from controlplane.cli.demo.case import Case, Size
from controlplane.cli.demo.rows import read_rows
from controlplane.cli.demo.summary import tell
from controlplane.cli.demo.traffic import Tally, Traffic
from controlplane.cli.output import FAILED, Terminal, refuse
from controlplane.cli.processes.bootstrap import upgraded_database
from controlplane.cli.processes.demo_mark import MARK, is_demo
from controlplane.cli.processes.supervisor import Supervisor
from controlplane.cli.progress import Line, Pace, Waited, of_rollout, of_run
from controlplane.cli.verbs.runs import jobs_of
from controlplane.cli.watching import watch
from controlplane.client import Client
from controlplane.client.connection import pause, until
from schemas.views.pipelines import RunView
from schemas.views.rollouts import RolloutDetail

SOURCE = "//example.com/collector"
LIVE = "Live"
"""A gateway that has registered and answers."""


@dataclass
class Story:
    """What happened, for the summary."""

    client: Client
    screen: Terminal
    case: Case
    size: Size
    artifacts: Path
    gateway: str = ""
    users_token: str = ""
    """A token of role feedback: those who hold it label answers, and can do nothing else."""
    runs: list[RunView] = field(default_factory=list)
    rollouts: list[RolloutDetail] = field(default_factory=list)
    traffic: list[Tally] = field(default_factory=list)
    stages: list[tuple[str, float]] = field(default_factory=list)
    """What took how many seconds of wall time."""

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        self.screen.say(f"\n[bold]{len(self.stages) + 1}. {title}[/bold]")
        began = time.monotonic()
        yield
        self.stages.append((title, time.monotonic() - began))
        self.screen.say(f"   [dim]{self.stages[-1][1]:.0f} s[/dim]")


def run(screen: Terminal, case: Case, size: Size, picture: Path | None = None) -> None:
    """Raw reviews to a first champion, a better one promoted by canary, a bad one rolled back."""
    start_clean(screen.settings.home)
    database = upgraded_database(screen)
    supervisor = Supervisor(screen.settings, database, screen.say)
    stop = threading.Event()
    watcher = threading.Thread(target=supervisor.watch, args=(stop,), daemon=True)
    try:
        supervisor.start()
        watcher.start()
        with screen.client() as client:
            token_file = screen.settings.home / "admin.token"
            artifacts = screen.settings.home.absolute() / "artifacts"
            story = Story(client, screen, case, size, artifacts)
            screen.say(f"   watch it: {screen.settings.served_ui_url()}, with the token in {escape(str(token_file))}")
            play(story, supervisor)
            good = tell(story, picture)
    finally:
        stop.set()
        if watcher.is_alive():
            watcher.join()
        supervisor.stop()
        database.close()
    if not good:
        raise typer.Exit(FAILED)


def play(story: Story, supervisor: Supervisor) -> None:
    """The journey, chapter by chapter."""
    client, case, size = story.client, story.case, story.size
    with story.chapter("Say what shall happen when data arrives: a deployment, a pipeline, a trigger"):
        deployment = case.deployment_of(size)
        client.put_deployment(deployment.pop("name"), deployment)
        client.put_pipeline(case.document("pipeline"))
        client.put_pipeline(case.document(case.bad))
        client.put_trigger(case.document("trigger"))
        story.users_token = client.create_token("the demo's users", "feedback").token
        story.gateway = wait_for_gateway(story, supervisor)
    with story.chapter(f"An event: {size.first:,} reviews were collected → the first champion"):
        arrive(story, offset=0, limit=size.first, parent=None, epochs=case.first_epochs)
    with story.chapter(f"Another event: {size.second:,} more → retrained by trigger, and a canary under live traffic"):
        arrive(story, offset=size.first, limit=size.second, parent=f"{case.dataset}@latest", epochs=1)
    with story.chapter(f"A bad version: {case.bad_in_words}, its gates waived → the canary must catch it"):
        rows = {"offset": size.first + size.second, "limit": size.third}
        bad = follow_run(story, client.run_pipeline(case.bad, rows).id)
        version = bad.stages["train"].outputs["model_version"]
        reason = "demo: shows that a canary catches what a person waves through"
        rollout = client.start_rollout(case.deployment, version, reason=case.bad_in_words, waive_gates=reason)
        follow_rollout(story, rollout.id)


def arrive(story: Story, **data: Any) -> None:
    """Publish that rows were collected, and follow what the trigger started to its end."""
    event = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": SOURCE,
        "type": story.case.event_type,
        "datacontenttype": "application/json",
        "data": data,
    }
    receipt = story.client.publish_event(event)
    answer = receipt.evaluations[0]
    story.screen.say(f"   trigger [bold]{answer.trigger}[/bold]: {answer.outcome}: {escape(answer.reason)}")
    if answer.run_id is None:
        refuse(f"the trigger did not fire: {answer.outcome}: {answer.reason}", FAILED)
    follow_run(story, answer.run_id)


def follow_run(story: Story, run_id: UUID) -> RunView:
    """To its end; a release stage is followed as the rollout that it is."""
    client = story.client
    look = of_run(Pace(), lambda run: jobs_of(client, run))
    run = watch(story.screen, lambda seen: until_release(client, run_id, seen), look)
    for stage in run.stages.values():
        if stage.rollout_id:
            follow_rollout(story, stage.rollout_id)
    run = client.wait_for_run(run_id)
    story.runs.append(run)
    if run.phase != "Succeeded":
        refuse(f"the run of {run.pipeline} ended as {run.phase}: {run.reason}", FAILED)
    return run


def until_release(client: Client, run_id: UUID, seen: Callable[[RunView], None]) -> RunView:
    """Until the run has ended, or has started the rollout that is its last stage."""
    began = time.monotonic()
    while True:
        run = client.get_run(run_id)
        seen(run)
        if run.phase != "Running" or any(stage.rollout_id for stage in run.stages.values()):
            return run
        time.sleep(pause(time.monotonic() - began))


def follow_rollout(story: Story, rollout_id: UUID) -> RolloutDetail:
    """To its end, with users at the gateway when there is already something that serves them."""
    client = story.client
    served = client.get_rollout(rollout_id).previous is not None
    with users(story) if served else nullcontext():
        ended = watch(
            story.screen, lambda seen: client.wait_for_rollout(rollout_id, seconds=1800, seen=seen), of_rollout
        )
    story.rollouts.append(ended)
    return ended


@contextmanager
def users(story: Story) -> Iterator[None]:
    """Validation rows as live traffic, with feedback on each answer. Test rows are never traffic."""
    case = story.case
    manifest = story.client.get_dataset_version(f"{case.dataset}@latest").manifest
    rows = read_rows(story.artifacts, manifest, "validation", case.columns)
    api = story.screen.settings.resolved_api_url()
    traffic = Traffic(rows, case.user, story.gateway, api, story.users_token, story.size.per_second, case.at_once)
    with traffic:
        yield
    story.traffic.append(traffic.tally)


def wait_for_gateway(story: Story, supervisor: Supervisor, seconds: float = 90) -> str:
    """The gateway's address, once it has registered."""
    name = story.case.deployment
    try:
        look = lambda: gateway(story.client, name)  # noqa: E731
        watch(story.screen, lambda seen: until(look, {LIVE}, seconds, seen), lambda found: found)
    except TimeoutError:
        refuse(f"no gateway came up in {seconds:.0f} s; see the logs in {supervisor.settings.home / 'logs'}", FAILED)
    return f"http://127.0.0.1:{supervisor.gateway_ports[name]}"


def gateway(client: Client, deployment: str) -> Waited:
    phase = LIVE if any(one.live for one in client.list_gateways(deployment)) else "Starting"
    return Waited(deployment, phase, (Line("gateway", phase),))


def start_clean(home: Path) -> None:
    """Wipe what an earlier demo left, and nothing else; downloads stay cached."""
    if home.exists() and any(home.iterdir()) and not is_demo(home):
        refuse(f"{home} is not a demo's folder: choose another by --home, or move it away")
    for entry in home.iterdir() if home.exists() else ():
        if entry.name not in ("cache", MARK):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / MARK).touch()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
