"""Two people and one worker that is busy: each gets their own rows; and what is said of rows that were lost."""

from pathlib import Path

import pytest

from tests.support.processes import Processes
from tests.support.waiting import wait_for
from tests.support.worlds.machine import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
ROWS = 120


def rows_of(person: str) -> str:
    lines = (f"the {person} text number {n},{person}-{('pos', 'neg')[n % 2]}" for n in range(ROWS))
    return "\n".join(["text,label", *lines, ""])


def labels_of(machine: Machine, job: str) -> set[str]:
    """The labels of all rows of the dataset version that the import made; each text is of its label's owner."""
    ended = machine.json("job", "get", job)
    assert ended["phase"] == "Succeeded", ended
    rows = machine.json("dataset", "head", ended["outputs"]["dataset"], "-n", str(ROWS))
    assert len(rows) == ROWS
    assert all(row["label"].split("-")[0] in row["text"] for row in rows)
    return {row["label"] for row in rows}


def test_files_of_one_name_never_meet_while_the_worker_is_busy(processes: Processes, tmp_path: Path) -> None:
    machine = Machine(processes, {})
    machine.up()
    long = tmp_path / "long.csv"
    long.write_text("text,label\n" + "".join(f"a text of number {n},{n % 2}\n" for n in range(150_000)))
    busy = machine.json("dataset", "import", "long", str(long), "--no-watch")["id"]
    wait_for(lambda: machine.json("job", "get", busy)["phase"] == "Running", "the worker has begun")

    file = tmp_path / "train.csv"
    asked = {}
    for person in ("a", "b"):  # the second writes over the first one's file, as in a shared folder
        file.write_text(rows_of(person))
        asked[person] = machine.json("dataset", "import", "tickets", str(file), "--no-watch")["id"]
    file.unlink()
    assert machine.json("job", "get", busy)["phase"] == "Running", "the worker was not busy for long enough"

    for job in asked.values():
        wait_for(lambda job=job: machine.json("job", "get", job)["finished_at"], "it is imported", seconds=120)
    assert {person: labels_of(machine, job) for person, job in asked.items()} == {
        person: {f"{person}-pos", f"{person}-neg"} for person in ("a", "b")
    }
    tells_what_was_lost_above_the_answer(machine, tmp_path)


def tells_what_was_lost_above_the_answer(machine: Machine, tmp_path: Path) -> None:
    """Above a tenth there is a line with the largest reason and what to do; at a tenth there is none."""
    for lost, warned in ((13, 0), (14, 1)):
        file = tmp_path / f"lost-{lost}.csv"
        file.write_text(rows_of("some") + "".join(f'"one, two", three, {n}\n' for n in range(lost)))
        done = machine.run("dataset", "import", f"lost-{lost}", str(file))
        warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
        assert len(warnings) == warned, done.stderr
        for warning in warnings:
            assert f"{lost} of {ROWS + lost} rows were rejected, {lost} of them as malformed: " in warning
            assert warning.endswith("set delimiter, quote or format")
