"""What a killed boot had not told can be read back, and only that."""

import json
import os
from pathlib import Path

import pytest

from schemas.serving import ArmCounts
from tests.support.journals import BOOT, CANARY, STABLE, lost_units, told
from workers.serve.counting.journal import Journal
from workers.serve.counting.remains import read_remains
from workers.serve.counting.second import Arrival


def test_what_ended_is_left_as_it_ended_and_what_never_did_as_an_error(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    for end in ("ok", "ok", "ok", "error", "abandoned", "abandoned"):
        journal.end(journal.start(STABLE), end)  # type: ignore[arg-type]
    journal.start(CANARY)
    journal.start(CANARY)
    journal.end(journal.start(CANARY), "ok")
    lost = lost_units(tmp_path / "a.journal")
    assert lost is not None
    assert lost.boot == BOOT
    first, second = lost.seconds
    assert (first.boot, first.second, first.unfinished) == (BOOT, 100, False)
    assert (second.boot, second.second, second.unfinished) == (BOOT, 101, True)
    [generation] = first.generations
    assert generation.stable == ArmCounts(units=6, error=1, abandoned=2)
    [generation] = second.generations
    assert generation.applied_weight == 0.25
    assert (generation.canary, generation.stable) == (ArmCounts(units=3, error=2), ArmCounts(units=0))
    journal.close()


def test_a_sealed_second_is_left_word_for_word_until_it_is_settled(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    for second in (100, 101, 102):
        journal.end(journal.start(Arrival(second, 4, 0.25, "stable")), "ok")
    bodies = [told(journal, second, errors=second % 2) for second in (100, 101)]
    for settled, left in ((None, bodies), (100, bodies[1:]), (101, [])):
        if settled is not None:
            journal.settle(settled)
        remains = read_remains(tmp_path / "a.journal")
        assert remains is not None
        assert list(remains.sealed.values()) == left
        assert [one.second for one in remains.lost] == [102]
    journal.close()


def test_a_second_whose_seal_the_disk_refused_is_left_as_its_units_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    journal = Journal(path, BOOT)
    journal.end(journal.start(CANARY), "error")
    real, full = os.dup(journal._fd or -1), os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, journal._fd or -1)
    told(journal, 101)
    os.dup2(real, journal._fd or -1)
    later = told(journal, 102)
    remains = read_remains(path)
    assert remains is not None
    [second] = remains.lost
    assert (second.second, second.generations[0].canary.error, second.unfinished) == (101, 1, False)
    assert list(remains.in_order()) == [second, later]
    os.close(real)
    os.close(full)
    journal.close()


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'[9,1000,4,5.0,"stable",null]',
        b'[9,1000,4,Infinity,"stable",null]',
        b'[9,"x",4,0.5,"stable",null]',
        b'[9,101.5,4,0.5,"stable",null]',
        b'[9,1000,-1,0.5,"stable",null]',
        b'[9,1000,[],0.5,"stable",null]',
        b"[9,1000,4,0.5,[],null]",
        b'[9,1000,4,0.5,"stable","zz"]',
        b'[9,1000,4,0.5,"stable",[]]',
        b'[0,"lost"]',
        b'{"boot":"00000000-0000-0000-0000-000000000007","second":100,"generations":[]}',
        b'{"settled":-1}',
        b"\xff\xfe",
    ],
)
def test_a_line_that_says_no_such_thing_costs_itself_only(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.journal"
    journal = Journal(path, BOOT)
    journal.end(journal.start(STABLE), "ok")
    journal.close()
    sound = lost_units(path)
    assert sound is not None
    with path.open("ab") as file:
        file.write(line + b"\n")
    assert lost_units(path) == sound


def test_what_a_full_disk_took_in_part_costs_that_line_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.journal"
    journal = Journal(path, BOOT)
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr("workers.serve.counting.journal.os.write", lambda fd, data: write(fd, data[:7]))
        journal.start(STABLE)
        assert not journal.healthy
    journal.start(CANARY)
    assert journal.healthy
    lost = lost_units(path)
    assert lost is not None
    assert [one.second for one in lost.seconds] == [101]
    journal.close()


def test_a_keyed_unit_is_lost_under_its_key(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    journal.start(Arrival(100, 4, 0.25, "canary", "b" * 32))
    lost = lost_units(tmp_path / "a.journal")
    assert lost is not None
    [generation] = lost.seconds[0].generations
    assert generation.canary.units == 0
    assert [(s.key_hash, s.arm, s.end) for s in generation.sessions] == [("b" * 32, "canary", "error")]
    journal.close()


def test_a_torn_last_line_is_no_unit(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    journal = Journal(path, BOOT)
    journal.start(STABLE)
    with path.open("ab") as file:
        file.write(b"[1,101,4,0.2")
    lost = lost_units(path)
    assert lost is not None
    assert [o.second for o in lost.seconds] == [100]
    journal.close()


def test_lost_units_are_told_by_second_generation_and_weight(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    for second, generation, weight in ((102, 5, 0.5), (100, 4, 0.25), (102, 4, 0.25), (102, 6, 0.25), (102, 4, 0.25)):
        journal.start(Arrival(second, generation, weight, "stable"))
    lost = lost_units(tmp_path / "a.journal")
    assert lost is not None
    told = [(o.second, g.generation, g.applied_weight, g.stable.error) for o in lost.seconds for g in o.generations]
    assert told == [(100, 4, 0.25, 1), (102, 4, 0.25, 2), (102, 5, 0.5, 1), (102, 6, 0.25, 1)]
    journal.close()


def test_each_key_of_a_second_is_lost(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    for key in ("b" * 32, "c" * 32):
        journal.start(Arrival(100, 4, 0.25, "canary", key))
    lost = lost_units(tmp_path / "a.journal")
    assert lost is not None
    assert [session.key_hash for session in lost.seconds[0].generations[0].sessions] == ["b" * 32, "c" * 32]
    journal.close()


def test_a_key_is_lost_under_the_arm_of_its_first_exposure(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    for arm in ("stable", "canary"):
        journal.start(Arrival(100, 4, 0.25, arm, "b" * 32))  # type: ignore[arg-type]
    lost = lost_units(tmp_path / "a.journal")
    assert lost is not None
    assert [session.arm for session in lost.seconds[0].generations[0].sessions] == ["stable"]
    journal.close()


def test_a_line_between_that_nobody_can_read_costs_itself_only(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    journal = Journal(path, BOOT)
    journal.start(STABLE)
    with path.open("ab") as file:
        file.write(b'\x00\x00\n7\n"x"\nnull\n[]\n[7,"ok"]\n[3,100]\n{}\n{"second":"x"}\n{"settled":null}\n')
    journal.end(journal.start(CANARY), "ok")
    journal.start(CANARY)
    lost = lost_units(path)
    assert lost is not None
    assert [(o.second, o.unfinished) for o in lost.seconds] == [(100, True), (101, True)]
    journal.close()


@pytest.mark.parametrize(
    "header", [b"", b"[]", b"7", b"{}", b'{"boot": "7"}', b'{"boot": null}', b'{"b": "x"}', b"[" * 100_000]
)
def test_a_file_that_does_not_say_whose_it_is_says_nothing(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "a.journal").write_bytes(header + b'\n[0,100,4,0.25,"stable",null]\n')
    assert lost_units(tmp_path / "a.journal") is None


def test_a_settled_second_is_not_left_although_its_seal_is_not_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    lines = [
        {"boot": str(BOOT)},
        [0, 100, 4, 0.25, "stable", None],
        [1, 101, 4, 0.25, "stable", None],
        {"settled": 100},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    remains = read_remains(path)
    assert remains is not None
    assert [one.second for one in remains.lost] == [101], "the control plane has had 100"
