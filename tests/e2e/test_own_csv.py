"""The README's walk through one's own CSV: its commands as they stand there, typed in a folder with such a file."""

import json
import os
import random
import re
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT, Processes
from tests.support.waiting import wait_for
from tests.support.worlds.machine import UP_SECONDS, Machine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
SUBJECTS = ("parcel", "invoice", "driver", "helpdesk", "website", "refund", "warranty", "courier")
MOODS = {
    "praise": ("arrived early, thank you", "was a pleasure", "works like a charm", "made my day"),
    "complaint": ("never came, I want my money back", "is broken again", "was rude to me", "wasted my afternoon"),
}


def write_csv(file: Path) -> None:
    """Texts that tell their label, a repeated one, and one without a text."""
    dice = random.Random(11)
    rows = [
        f'"The {subject} number {number} {words}","{mood}"'
        for number in range(8)
        for mood, phrases in MOODS.items()
        for subject in SUBJECTS
        for words in [dice.choice(phrases)]
    ]
    dice.shuffle(rows)
    file.write_text("\n".join(["body,queue", *rows, rows[0], '"","praise"', ""]))


def blocks() -> list[str]:
    """The section's blocks in order: one terminal, a second site, another terminal, what a version holds."""
    section = (ROOT / "README.md").read_text().split("## Your own data\n")[1].split("\n## ")[0]
    return [
        "\n".join(line.removeprefix("$ ") for line in block.splitlines())
        for block in re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    ]


def test_what_the_readme_types_takes_a_csv_to_an_answer(processes: Processes, tmp_path: Path, downloads: Path) -> None:
    one, beside, another, holds = blocks()
    assert beside.startswith("GRAFTWORK_PORT=")
    work = tmp_path / "work"
    work.mkdir()
    (work / "deploy").symlink_to(ROOT / "deploy")
    write_csv(work / "tickets.csv")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    machine = Machine(processes, {"GRAFTWORK_SOURCES_CACHE": str(downloads), "PATH": path})
    up = processes.start("up", ["bash", "-c", f"cd {work}; exec {one}"], machine.environment({}))
    wait_for(lambda: "Graftwork is up" in up.output() or not up.running, "it is up", seconds=UP_SECONDS)

    def typed(block: str, seconds: float = 600) -> str:
        return machine.command(["bash", "-euc", f"cd {work}; {block}"], seconds=seconds).stdout

    said = typed(another)
    assert "Promoted" in said.splitlines(), said
    answer = json.loads(said.strip().splitlines()[-1])
    assert answer["model"] == "own"
    assert answer["predictions"][0]["label"] in MOODS
    home = "export GRAFTWORK_HOME=my-site"
    told = typed(f"{home}; {holds}")
    assert all(mood in told for mood in MOODS)
    assert len((work / "tickets.jsonl").read_text().splitlines()) == 8 * len(MOODS) * len(SUBJECTS)
    champion = json.loads(typed(f"{home}; graftwork model get own@champion --json"))
    (score,) = [one["data"] for one in champion["attachments"] if one["kind"] == "evaluate"]
    assert {one["metric"]: one["value"] for one in score["measurements"]}["accuracy"] > 0.9
    curated = json.loads(typed(f"{home}; graftwork dataset get own@latest --json"))
    assert sum(curated["rejected"].values()) == 2
    assert sorted(entry.name for entry in work.iterdir()) == ["deploy", "my-site", "tickets.csv", "tickets.jsonl"]
