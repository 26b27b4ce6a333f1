"""The README's walk through one's own CSV, as its script does it."""

import json
import random
import sys
from pathlib import Path

import pytest

from tests.support.own_machine import OwnMachine
from tests.support.processes import ROOT, Processes

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
    file.write_text("\n".join(["remark,kind", *rows, rows[0], '"","praise"', ""]))


def test_the_script_takes_a_csv_to_an_answer(processes: Processes, tmp_path: Path, downloads: Path) -> None:
    csv = tmp_path / "remarks.csv"
    write_csv(csv)
    machine = OwnMachine(processes, {"GRAFTWORK_SOURCES_CACHE": str(downloads)})
    machine.up()
    script = str(ROOT / "deploy" / "examples" / "own_csv.sh")
    command = {"GRAFTWORK": str(Path(sys.executable).with_name("graftwork"))}
    said = machine.command([script, str(csv), "remark", "kind", "remarks"], env=command, seconds=600).stdout
    assert "Promoted" in said.splitlines(), said
    answer = json.loads(said.strip().splitlines()[-1])
    assert answer["model"] == "remarks"
    assert answer["predictions"][0]["label"] in MOODS
    champion = machine.json("model", "get", "remarks@champion")
    (score,) = [one["data"] for one in champion["attachments"] if one["kind"] == "evaluation"]
    assert score["accuracy"]["value"] > 0.9
    curated = machine.json("dataset", "get", "remarks@latest")
    assert sum(curated["rejected"].values()) == 2
