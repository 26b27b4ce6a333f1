"""What a killed boot had not told can be read back, and only that."""

import itertools
import logging
import os
from pathlib import Path
from uuid import UUID

import pytest

from schemas.serving import ArmCounts, GenerationSecond, LostUnits, Observation
from workers.serve.counting.journal import COMPACT_AT, Journal
from workers.serve.counting.remains import read_remains
from workers.serve.counting.second import Arrival

BOOT = UUID(int=9)
STABLE = Arrival(100, 4, 0.25, "stable")
CANARY = Arrival(101, 4, 0.25, "canary")


def lost_units(path: Path) -> LostUnits | None:
    remains = read_remains(path)
    return None if remains is None else LostUnits(boot=remains.boot, seconds=remains.lost)


def told(journal: Journal, second: int, errors: int = 0) -> str:
    """As an uplink seals a second."""
    counts = ArmCounts(units=9, error=errors)
    generation = GenerationSecond(generation=4, applied_weight=0.25, stable=counts, canary=ArmCounts(units=0))
    body = Observation(boot=BOOT, second=second, generations=(generation,)).model_dump_json()
    journal.seal(second, body)
    return body


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


def test_a_boot_that_could_not_tell_its_seconds_leaves_them_to_the_next(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    journal.end(journal.start(STABLE), "ok")
    body = told(journal, 100)
    assert not journal.empty
    journal.close()
    remains = read_remains(tmp_path / "a.journal")
    assert remains is not None
    assert (dict(remains.sealed), remains.lost) == ({100: body}, ())


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
