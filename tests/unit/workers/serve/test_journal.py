"""Units that a killed boot never ended can be read back, and only those."""

import os
from pathlib import Path
from uuid import UUID

from schemas.serving import LostUnits
from workers.serve.journal import Arrival, Journal, read_lost_units

BOOT = UUID(int=9)
STABLE = Arrival(100, 4, 0.25, "stable")
CANARY = Arrival(101, 4, 0.25, "canary")


def test_only_units_that_never_ended_are_lost(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    journal.end(journal.start(STABLE))
    journal.start(CANARY)
    journal.start(CANARY)
    lost = read_lost_units(tmp_path / "a.journal")
    assert lost is not None
    assert lost.boot == BOOT
    [observation] = lost.seconds
    [generation] = observation.generations
    assert (observation.boot, observation.second, generation.applied_weight) == (BOOT, 101, 0.25)
    assert (generation.canary.units, generation.canary.error, generation.stable.units) == (2, 2, 0)
    journal.close()


def test_a_keyed_unit_is_lost_under_its_key(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    journal.start(Arrival(100, 4, 0.25, "canary", "b" * 32))
    lost = read_lost_units(tmp_path / "a.journal")
    assert lost is not None
    [generation] = lost.seconds[0].generations
    assert generation.canary.units == 0
    assert [(s.key_hash, s.arm, s.error) for s in generation.sessions] == [("b" * 32, "canary", True)]
    journal.close()


def test_a_torn_last_line_is_no_unit(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    journal = Journal(path, BOOT)
    journal.start(STABLE)
    with path.open("ab") as file:
        file.write(b"[1,101,4,0.2")
    lost = read_lost_units(path)
    assert lost is not None
    assert [o.second for o in lost.seconds] == [100]
    journal.close()


def test_a_boot_that_ended_by_itself_leaves_no_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    journal.end(journal.start(STABLE))
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_boot_without_open_units_lost_nothing_and_a_damaged_file_says_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    number = journal.start(STABLE)
    assert not journal.empty
    journal.end(number)
    assert journal.empty
    assert read_lost_units(tmp_path / "a.journal") == LostUnits(boot=BOOT, seconds=())
    journal.close()
    (tmp_path / "b.journal").write_bytes(b"\x00\xff nonsense")
    assert read_lost_units(tmp_path / "b.journal") is None


def test_compaction_forgets_ended_units_and_keeps_open_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    journal = Journal(path, BOOT, compact_at=2_000)
    journal.start(CANARY)
    for _ in range(500):
        journal.end(journal.start(STABLE))
    assert path.stat().st_size < 2_500
    journal.start(STABLE)
    lost = read_lost_units(path)
    assert lost is not None
    assert [o.second for o in lost.seconds] == [100, 101]
    journal.close()


def test_a_journal_is_for_its_owner_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    assert (tmp_path / "a.journal").stat().st_mode & 0o777 == 0o600
    journal.close()


def test_a_disk_that_refuses_makes_it_unhealthy_and_raises_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, journal._fd)
    journal.end(journal.start(STABLE))
    assert not journal.healthy
    os.close(full)
    journal.close()


def test_a_compaction_that_fails_again_and_again_uses_up_no_descriptors(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT, compact_at=500)
    (tmp_path / "a.compacting").symlink_to("/dev/full")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        journal.end(journal.start(STABLE))
    assert len(os.listdir("/proc/self/fd")) == before
    journal.close()
