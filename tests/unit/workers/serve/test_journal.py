"""What a boot writes down, and what of it is forgotten."""

import itertools
import logging
import os
from pathlib import Path

import pytest

from schemas.serving import ArmCounts, LostUnits
from tests.support.journals import BOOT, CANARY, STABLE, lost_units, told
from workers.serve.counting.journal import COMPACT_AT, Journal
from workers.serve.counting.remains import read_remains
from workers.serve.counting.second import Arrival


def test_a_boot_that_could_not_tell_its_seconds_leaves_them_to_the_next(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    journal.end(journal.start(STABLE), "ok")
    body = told(journal, 100)
    assert not journal.empty
    journal.close()
    remains = read_remains(tmp_path / "a.journal")
    assert remains is not None
    assert (dict(remains.sealed), remains.lost) == ({100: body}, ())


def test_a_boot_on_a_full_disk_begins_unhealthy_and_writes_all_of_it_once_it_can(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    blocked = tmp_path / "a.compacting"
    blocked.symlink_to("/dev/full")
    journal = Journal(path, BOOT)
    assert not journal.healthy
    journal.start(CANARY)
    journal.end(journal.start(STABLE), "ok")
    assert (journal.healthy, path.exists()) == (False, False)
    blocked.unlink()
    journal.start(CANARY)
    assert journal.healthy
    lost = lost_units(path)
    assert lost is not None
    found = [(one.second, one.generations[0].stable.units, one.generations[0].canary.error) for one in lost.seconds]
    assert found == [(100, 1, 0), (101, 0, 2)]
    journal.close()


def test_seconds_that_nobody_takes_are_compacted_too_and_those_given_up_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    journal = Journal(path, BOOT, compact_at=1_000)
    for second in range(2_000):
        for _ in range(5):
            journal.end(journal.start(Arrival(second, 4, 0.25, "stable")), "ok")
        told(journal, second)
        if second >= 10:
            journal.forget(second - 10)
    remains = read_remains(path)
    assert remains is not None
    assert path.stat().st_size < 15_000
    assert {*range(1990, 2000)} <= {*remains.sealed}
    assert remains.lost == ()
    journal.close()


def test_a_boot_that_ended_by_itself_leaves_no_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    journal.end(journal.start(STABLE), "ok")
    told(journal, 100)
    journal.settle(100)
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_boot_that_had_told_all_left_nothing_and_a_damaged_file_says_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    assert journal.empty
    number = journal.start(STABLE)
    assert not journal.empty
    journal.end(number, "ok")
    assert not journal.empty, "nobody knows of it"
    told(journal, 100)
    assert not journal.empty, "it may not have been sent"
    journal.settle(100)
    assert journal.empty
    assert lost_units(tmp_path / "a.journal") == LostUnits(boot=BOOT, seconds=())
    journal.close()
    (tmp_path / "b.journal").write_bytes(b"\x00\xff nonsense")
    assert lost_units(tmp_path / "b.journal") is None


def test_compaction_forgets_what_was_told_and_keeps_what_was_not(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    journal = Journal(path, BOOT, compact_at=2_000)
    journal.start(Arrival(500, 4, 0.25, "canary"))
    journal.end(journal.start(Arrival(501, 4, 0.25, "stable")), "abandoned")
    sizes = []
    for second in range(100, 300):
        journal.end(journal.start(Arrival(second, 4, 0.25, "stable")), "ok")
        told(journal, second)
        journal.settle(second)
        sizes.append(path.stat().st_size)
    assert max(sizes) < 2_500
    body = told(journal, 300)
    remains = read_remains(path)
    assert remains is not None
    assert remains.sealed == {300: body}
    assert [(one.second, one.unfinished) for one in remains.lost] == [(500, True), (501, False)]
    assert remains.lost[1].generations[0].stable == ArmCounts(units=1, abandoned=1)
    journal.close()


def test_a_journal_is_for_its_owner_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    assert (tmp_path / "a.journal").stat().st_mode & 0o777 == 0o600
    journal.close()


def test_a_disk_that_refuses_makes_it_unhealthy_and_raises_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, journal._fd or -1)
    journal.end(journal.start(STABLE), "ok")
    assert not journal.healthy
    os.close(full)
    journal.close()


def test_a_compaction_that_fails_again_and_again_uses_up_no_descriptors(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT, compact_at=500)
    (tmp_path / "a.compacting").symlink_to("/dev/full")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        journal.end(journal.start(STABLE), "ok")
        told(journal, 100)
        journal.settle(100)
    assert len(os.listdir("/proc/self/fd")) == before
    journal.close()


def test_a_boot_begins_with_an_empty_journal_and_leaves_open_units_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    path.write_bytes(b"of somebody else\n" * 99)
    journal = Journal(path, BOOT)
    assert path.read_bytes() == b'{"boot":"%s"}\n' % str(BOOT).encode()
    number = journal.start(CANARY)
    assert path.read_bytes().splitlines()[-1] == b'[%d,101,4,0.25,"canary",null]' % number
    journal.close()
    assert lost_units(path) is not None


def settled(path: Path, compact_at: int) -> Journal:
    """One unit, told and settled."""
    journal = Journal(path, BOOT, compact_at=compact_at)
    journal.end(journal.start(STABLE), "ok")
    told(journal, 100)
    journal.settle(100)
    return journal


def test_a_journal_is_compacted_when_it_is_larger_than_it_may_be_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    probe = settled(tmp_path / "probe", COMPACT_AT)
    written = (tmp_path / "probe").stat().st_size
    for compact_at, compacted in ((written, False), (written - 1, True)):
        journal = settled(path, compact_at)
        assert (path.stat().st_size < written) is compacted
        assert list(tmp_path.glob("*.compacting")) == []
        journal.start(CANARY)
        lost = lost_units(path)
        assert lost is not None
        assert [o.second for o in lost.seconds] == [101]
        journal.close()
    probe.close()
    assert COMPACT_AT == 4 * 1024 * 1024


def test_what_remains_is_not_written_anew_at_every_second(tmp_path: Path) -> None:
    """A control plane that is away for hours leaves a journal larger than it may be."""
    path = tmp_path / "a.journal"
    journal = Journal(path, BOOT, compact_at=500)
    inodes = []
    for second in range(400):
        told(journal, second)
        journal.settle(-1)
        inodes.append(path.stat().st_ino)
    assert 1 < sum(now != was for was, now in itertools.pairwise(inodes)) < 20
    journal.close()


def test_a_compacted_journal_counts_its_bytes_anew_and_uses_up_no_descriptors(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT, compact_at=1000)
    before = len(os.listdir("/proc/self/fd"))
    sizes = []
    for second in range(200):
        journal.end(journal.start(Arrival(second, 4, 0.25, "stable")), "ok")
        told(journal, second)
        journal.settle(second)
        sizes.append((tmp_path / "a.journal").stat().st_size)
    assert len(os.listdir("/proc/self/fd")) == before
    assert max(sizes) <= 1000
    assert sum(now < was for was, now in itertools.pairwise(sizes)) < len(sizes) / 2
    assert journal.healthy
    journal.close()


def test_a_journal_that_is_written_again_is_healthy_and_each_turn_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.journal"
    journal = Journal(path, BOOT)
    assert journal.healthy
    real, full = os.dup(journal._fd or -1), os.open("/dev/full", os.O_WRONLY)
    with caplog.at_level(logging.WARNING):
        os.dup2(full, journal._fd or -1)
        for _ in range(3):
            journal.start(STABLE)
            assert not journal.healthy
        os.dup2(real, journal._fd or -1)
        for _ in range(3):
            journal.start(STABLE)
            assert journal.healthy
    assert caplog.messages == [f"journal {path} cannot be written", f"journal {path} is written again"]
    os.close(real)
    os.close(full)
    journal.close()


def test_whoever_looks_closely_is_told_why_it_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, journal._fd or -1)
    with caplog.at_level(logging.DEBUG):
        journal.start(STABLE)
    assert f"journal {tmp_path / 'a.journal'}: [Errno 28] No space left on device" in caplog.messages
    os.close(full)
    journal.close()


def test_a_compaction_that_fails_makes_it_unhealthy_until_it_is_written_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT, compact_at=50)
    blocked = tmp_path / "a.compacting"
    blocked.symlink_to("/dev/full")
    for _ in range(3):
        journal.start(STABLE)
    assert journal.healthy
    journal.settle(99)
    assert not journal.healthy
    blocked.unlink()
    journal.settle(99)
    assert journal.healthy
    journal.close()


def test_the_end_of_an_unknown_unit_is_no_fault(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    journal.end(7, "ok")
    assert journal.empty
    (tmp_path / "a.journal").unlink()
    journal.close()


def test_what_a_killed_compaction_left_is_overwritten_and_no_line_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    path.with_suffix(".compacting").write_bytes(b'["what an earlier life had begun to write"]\n' * 1_000)
    journal = Journal(path, BOOT, compact_at=200)
    assert path.read_bytes() == b'{"boot":"%s"}\n' % str(BOOT).encode()
    for second in range(100, 110):
        journal.end(journal.start(Arrival(second, 4, 0.25, "stable")), "ok")
        told(journal, second)
        journal.settle(second)
    lines = path.read_bytes().split(b"\n")
    assert lines.index(b"") == len(lines) - 1
    journal.close()


def test_a_second_that_was_never_sealed_may_be_given_up(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    journal.forget(99)
    assert journal.empty
    journal.close()
