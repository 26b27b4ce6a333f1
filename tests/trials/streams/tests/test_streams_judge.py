"""The judge of streams finds what is planted: a double count, a lost unit, a wrong arm, a wrong end, a stranger."""

from dataclasses import replace
from typing import Final
from uuid import UUID

import pytest

from schemas.serving import UnitEnd
from tests.trials.streams.account import Account
from tests.trials.streams.journals import Entry
from tests.trials.streams.seen import Ending
from tests.trials.streams.tests.story import FELL, GENERATION, LIVES, SALT, Counted, Story, claims, good_story
from tests.trials.streams.verdict import judge, judge_enough, table
from workers.serve.rollout.draw import hash_key

KEYED, ALIKE = True, False


def found(story: Story) -> str:
    return "\n".join(judge(story.account()).discrepancies)


def nth(story: Story, ending: Ending, *, keyed: bool, boot: UUID = LIVES) -> int:
    """The number of the first such request."""
    return next(
        one.number
        for one in story.seen
        if (one.ending, one.key is not None, one.boot, one.chosen) == (ending, keyed, boot, False)
    )


def counted(story: Story, *, keyed: bool, boot: UUID = LIVES, lost: bool = False, end: UnitEnd = "ok") -> int:
    """The index of the first unit that the control plane keeps so."""
    wanted = (keyed, boot, lost, end)
    return next(
        index
        for index, one in enumerate(story.counted)
        if (one.key_hash is not None, one.boot, one.lost, one.end) == wanted
    )


def test_a_good_account_has_no_discrepancy_and_every_unit_a_place() -> None:
    verdict = judge(good_story().account())
    assert verdict.discrepancies == ()
    assert {place: sum(n for (_, of), n in verdict.units.items() if of == place) for _, place in verdict.units} == {
        "ok": 10, "error": 2, "abandoned": 2, "lost": 6, "late": 2,
    }  # fmt: skip
    arm, stable, canary, both, saw = table(verdict).splitlines()
    assert arm.split() == ["arm", "units", "ok", "error", "abandoned", "lost", "late"]
    assert stable.split() == ["stable", "10", "4", "2", "0", "2", "2"]
    assert canary.split() == ["canary", "12", "6", "0", "2", "4", "0"]
    assert both.split() == ["both", "22", "10", "2", "2", "6", "2"]
    assert saw.startswith("callers saw 30 requests: 10 finished, 2 failed, 4 hung up, 4 left, 4 cut, 4 gone, 2 refused")


def test_a_run_in_which_hardly_anybody_was_answered_says_nothing() -> None:
    assert list(judge_enough({"finished": 3, "left": 7})) == []
    assert list(judge_enough({"finished": 2, "refused": 8})) == ["2 requests finished: expected at least 3 of 10"]


# --- between a journal and the control plane --------------------------------------------------------------------------


@pytest.mark.parametrize("keyed", [KEYED, ALIKE])
@pytest.mark.parametrize("boot", [LIVES, FELL])
def test_a_unit_that_is_counted_twice_in_its_second(keyed: bool, boot: UUID) -> None:
    story = good_story()
    story.counted.append(story.counted[counted(story, keyed=keyed, boot=boot)])
    assert "its journal has 1" in found(story)


def test_a_key_that_is_counted_in_a_second_of_another_boot_too() -> None:
    story = good_story()
    one = story.counted[counted(story, keyed=KEYED)]
    story.counted.append(replace(one, boot=FELL))
    assert f"has told 1 units of second {one.second}, stable of generation 2 at weight 0.5, key" in found(story)
    assert "request 0 (finished) is counted 2 times: ok, ok" in found(story)
    assert f"request 0 (finished) was sent to boot {LIVES} and is counted by {FELL}" in found(story)


def test_a_key_that_is_counted_in_two_rollouts() -> None:
    story = Story()
    number = story.ask("hung up", "stable", keyed=True)
    story.admit(number, 100)
    story.count(number, "ok")
    arrival = replace(story.written[0].entry.arrival, key_hash=hash_key("another", f"caller-{number}"))
    story.written.append(replace(story.written[0], entry=Entry(arrival, "ok")))
    story.counted.append(replace(story.counted[0], key_hash=arrival.key_hash))
    account = replace(story.account(), salts={GENERATION: SALT, GENERATION + 1: "another"})
    assert judge(account).discrepancies == ("request 0 (hung up) is counted 2 times: ok, ok",)


@pytest.mark.parametrize("keyed", [KEYED, ALIKE])
def test_a_unit_that_is_in_an_accepted_second_of_the_journal_and_was_not_told(keyed: bool) -> None:
    story = good_story()
    one = story.counted.pop(counted(story, keyed=keyed, boot=FELL))
    story.counted.append(replace(one, key_hash="0" * 32))  # the second is still accepted
    assert "has told 0 units of" in found(story)


@pytest.mark.parametrize("keyed", [KEYED, ALIKE])
def test_a_lost_unit_that_was_not_told(keyed: bool) -> None:
    story = good_story()
    del story.counted[counted(story, keyed=keyed, boot=FELL, lost=True, end="error")]
    assert "has left, as was told, 0 units of" in found(story) or "as was told, 1 units of" in found(story)


@pytest.mark.parametrize("keyed", [KEYED, ALIKE])
def test_a_lost_unit_that_was_told_twice(keyed: bool) -> None:
    story = good_story()
    story.counted.append(story.counted[counted(story, keyed=keyed, boot=FELL, lost=True, end="error")])
    assert "has left, as was told," in found(story)


@pytest.mark.parametrize("keyed", [KEYED, ALIKE])
def test_a_unit_that_ended_and_was_told_as_lost_too(keyed: bool) -> None:
    story = good_story()
    one = story.counted[counted(story, keyed=keyed, boot=FELL)]
    story.counted.append(replace(one, second=102, end="error", lost=True))
    assert "has left, as was told," in found(story)


def test_a_lost_unit_that_is_no_error() -> None:
    story = good_story()
    at = counted(story, keyed=KEYED, boot=FELL, lost=True, end="error")
    story.counted[at] = replace(story.counted[at], end="ok")
    assert "which are ok: its journal has 0" in found(story)
    assert "which are error: its journal has 1" in found(story)


@pytest.mark.parametrize("keyed", [KEYED, ALIKE])
@pytest.mark.parametrize("second", [100, 103])
def test_a_unit_that_ended_otherwise_than_its_journal_has_it(keyed: bool, second: int) -> None:
    """Whether the boot has told of it itself or the next one has."""
    story = good_story()
    places = [(one.boot, one.second, one.key_hash is not None) for one in story.counted]
    at = places.index((FELL, second, keyed))
    story.counted[at] = replace(story.counted[at], end="abandoned")
    assert "which are abandoned: its journal has 0" in found(story)
    assert "which are ok: its journal has 1" in found(story)


@pytest.mark.parametrize("keyed", [KEYED, ALIKE])
def test_a_unit_that_ended_in_the_last_seconds_of_a_killed_gateway_and_was_never_told(keyed: bool) -> None:
    story = good_story()
    places = [(one.boot, one.second, one.key_hash is not None) for one in story.counted]
    del story.counted[places.index((FELL, 103, keyed))]
    assert "has left, as was told, 0 units of" in found(story)


@pytest.mark.parametrize("end", [None, "ok"])
def test_a_unit_that_a_living_gateway_never_told(end: UnitEnd | None) -> None:
    story = good_story()
    number = story.ask("hung up", "stable", keyed=True)
    story.admit(number, 111, end)
    assert "1 units are in seconds that it never told: it had the time" in found(story)


def test_a_gateway_that_was_lost_with_units_and_is_not_said_to_be() -> None:
    story = good_story()
    story.counted = [replace(one, lost=False) for one in story.counted]
    assert "6 units never ended, and nobody was told that a gateway was lost with them" in found(story)


def test_a_gateway_that_is_said_to_be_lost_with_units_and_had_ended_all() -> None:
    story = Story()
    number = story.ask("hung up", "stable", boot=FELL)
    story.admit(number, 103)
    story.count(number, "ok")
    assert found(story) == ""
    story.counted[0] = replace(story.counted[0], lost=True)
    assert "is said to be lost with units that never ended: by its journal all have" in found(story)


def test_a_unit_of_a_second_that_was_sealed_and_came_never() -> None:
    """Neither accepted nor refused as late."""
    story = good_story()
    number = story.ask("hung up", "stable", keyed=True)
    story.admit(number, 109)
    assert "2 units were refused as late, by the journal 3" in found(story)


def test_late_units_are_as_many_as_were_refused() -> None:
    story = good_story()
    story.late_units = 1
    assert "1 units were refused as late, by the journal 2" in found(story)


def test_a_boot_that_nobody_started() -> None:
    story, stranger = good_story(), UUID(int=7)
    story.counted.append(Counted(stranger, 100, "stable", "ok"))
    assert f"boot {stranger} counts units, and nobody started it" in found(story)


# --- between callers and journals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("keyed", [KEYED, ALIKE])
def test_a_unit_that_no_caller_asked_for(keyed: bool) -> None:
    story = Story()
    number = story.ask("finished", "stable", keyed=keyed)
    story.admit(number, 101)
    story.count(number, "ok")
    del story.seen[number]
    assert ("and no caller sent it" if keyed else "stable units are ok, and callers saw") in found(story)


@pytest.mark.parametrize("ending", ["finished", "hung up", "failed"])
@pytest.mark.parametrize("keyed", [KEYED, ALIKE])
def test_a_request_that_was_admitted_and_is_nobodys_unit(ending: Ending, keyed: bool) -> None:
    """With and without a key: its journal forgot it as well."""
    story = good_story()
    number = story.ask(ending, "stable", keyed=keyed)
    if ending == "finished":
        story.admit(number, 101)
        story.written.pop()
        if keyed:
            assert f"request {number} (finished) is signed as the unit of its key, which is counted nowhere" in found(
                story
            )
    assert "stable units, and callers saw" in found(story)


WRONG_ENDS: Final[tuple[tuple[Ending, UnitEnd, UnitEnd], ...]] = (
    ("finished", "ok", "error"),
    ("finished", "ok", "abandoned"),
    ("hung up", "ok", "abandoned"),
    ("hung up", "ok", "error"),
    ("failed", "error", "ok"),
    ("failed", "error", "abandoned"),
    ("left", "abandoned", "error"),
)


@pytest.mark.parametrize(("ending", "right", "wrong"), WRONG_ENDS)
@pytest.mark.parametrize("keyed", [KEYED, ALIKE])
def test_a_unit_that_ended_otherwise_than_its_caller_saw(
    ending: Ending, right: UnitEnd, wrong: UnitEnd, keyed: bool
) -> None:
    story = Story()
    number = story.ask(ending, None if ending == "left" else "canary", keyed=keyed)
    story.admit(number, 100, right, arm="canary")
    story.count(number, right)
    assert found(story) == ""
    noted = story.written[0]
    story.written[0] = replace(noted, entry=replace(noted.entry, end=wrong))
    story.counted[0] = replace(story.counted[0], end=wrong)
    assert (f"request 0 ({ending}) is counted as {wrong}" if keyed else f"1 canary units are {wrong}") in found(story)


@pytest.mark.parametrize("keyed", [KEYED, ALIKE])
def test_a_unit_that_is_counted_for_the_other_arm(keyed: bool) -> None:
    """By its gateway: in the journal and in what it told."""
    story = Story()
    number = story.ask("hung up", "canary", keyed=keyed)
    story.admit(number, 100, arm="stable")
    story.count(number, "ok")
    expected = f"request {number} (hung up) was answered by canary and is counted for stable"
    assert (expected if keyed else "0 canary units, and callers saw 1 admitted") in found(story)


@pytest.mark.parametrize("keyed", [KEYED, ALIKE])
def test_a_signed_end_that_names_another_second_or_another_boot(keyed: bool) -> None:
    for boot, shift in ((LIVES, 5), (FELL, 0)):
        story = good_story()
        number = nth(story, "finished", keyed=keyed)
        signed = story.seen[number].claims
        assert signed is not None
        changed = signed.model_copy(update={"t": signed.t + shift, "b": boot})
        story.seen[number] = replace(story.seen[number], claims=changed)
        assert "signed" in found(story)


def test_who_names_a_version_or_is_refused_is_no_unit() -> None:
    plants: tuple[tuple[Ending, bool, str], ...] = (
        ("finished", True, "named its version"),
        ("refused", False, "is counted as ok"),
    )
    for ending, chosen, text in plants:
        story = good_story()
        number = story.ask(ending, "stable", keyed=True, chosen=chosen)
        story.admit(number, 101)
        story.count(number, "ok")
        assert f"request {number} ({ending}) {text}" in found(story)


def test_a_connection_that_a_living_gateway_has_ended() -> None:
    endings: tuple[Ending, ...] = ("cut", "gone")
    for ending in endings:
        story = good_story()
        number = story.ask(ending, "stable", keyed=True)
        story.admit(number, 101)
        story.count(number, "ok")
        assert f"request {number} was {ending} (None), and its gateway lives" in found(story)


# --- between the seconds and the fold ---------------------------------------------------------------------------------


def _folds(account: Account, **changes: object) -> str:
    [state] = account.folds
    return "\n".join(judge(replace(account, folds=[state.model_copy(update=changes)])).discrepancies)


def test_what_is_folded_is_the_sum_of_the_seconds() -> None:
    account = good_story().account()
    [state] = account.folds
    assert state.arrived.units == 20
    more = state.arrived._replace(canary_error=state.arrived.canary_error + 1)
    assert "has folded Arrived(" in _folds(account, arrived=more)
    assert "has not folded Arrived(" in _folds(account, unfolded=state.arrived)
    [generation] = state.generations
    fewer = generation._replace(stable_units=generation.stable_units - 1)
    assert "has counted GenerationState(" in _folds(account, generations=(fewer,))


def test_a_second_at_another_weight_is_not_to_be_folded() -> None:
    account = good_story().account()
    first, *others = account.rows
    [entry] = first.generations
    lapsed = replace(first, generations=(entry.model_copy(update={"applied_weight": 0.0}),))
    assert "has folded Arrived(" in "\n".join(judge(replace(account, rows=[lapsed, *others])).discrepancies)


def test_claims_name_what_the_journal_has() -> None:
    story = good_story()
    signed = story.seen[nth(story, "finished", keyed=KEYED)].claims
    assert signed == claims(LIVES, story.written[0].entry.arrival)
