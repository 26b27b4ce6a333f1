"""A good account of every kind of request, kept in parts: a test spoils one of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from controlplane.domain.analysis.fold import Batch, fold
from controlplane.domain.analysis.state import AnalysisState, begin, enter
from schemas.rollouts import CanaryPolicy
from schemas.serving import Arm, ArmCounts, GenerationSecond, Observation, PredictionClaims, SessionUnit, UnitEnd
from tests.trials.streams.account import Account, Boot, Row
from tests.trials.streams.journals import Entry, Written
from tests.trials.streams.seen import Ending, Seen
from workers.serve.counting.second import Arrival
from workers.serve.rollout.draw import hash_key

LIVES, FELL = UUID(int=1), UUID(int=2)
GENERATION, WEIGHT, SALT = 2, 0.5, "salt"
SEALED: Final = {LIVES: 110, FELL: 101}
POLICY: Final = CanaryPolicy(randomize="session", steps=(0.5,))


@dataclass(frozen=True)
class Counted:
    """One unit as the control plane keeps it."""

    boot: UUID
    second: int
    arm: Arm
    end: UnitEnd
    key_hash: str | None = None
    lost: bool = False
    """The next boot has told of its second, and that units of it never ended."""


@dataclass(frozen=True)
class Noted:
    """One unit as its journal has it."""

    boot: UUID
    entry: Entry


class Story:
    """`seen`, `written` and `counted` may be spoilt by index: what is asked first comes first in each."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.written: list[Noted] = []
        self.counted: list[Counted] = []
        self.late_units = 0

    def ask(
        self, ending: Ending, arm: Arm | None = None, *, keyed: bool = False, boot: UUID = LIVES, chosen: bool = False
    ) -> int:
        """One request, and its number."""
        number = len(self.seen)
        self.seen.append(Seen(number, boot, ending, f"caller-{number}" if keyed else None, arm, chosen))
        return number

    def admit(self, number: int, second: int, end: UnitEnd | None = "ok", *, arm: Arm | None = None) -> None:
        """The gateway writes that request down, and how it ended; a finished one is signed."""
        one = self.seen[number]
        drawn = arm or one.arm
        assert drawn is not None
        arrival = Arrival(second, GENERATION, WEIGHT, drawn, self.key_hash(number))
        self.written.append(Noted(one.boot, Entry(arrival, end)))
        if one.ending == "finished":
            signed = claims(one.boot, arrival)
            self.seen[number] = Seen(number, one.boot, one.ending, one.key, one.arm, one.chosen, signed)

    def count(self, number: int, end: UnitEnd, *, lost: bool = False) -> None:
        """The control plane keeps the unit that was written down last."""
        boot, arrival = self.written[-1].boot, self.written[-1].entry.arrival
        self.counted.append(Counted(boot, arrival.second, arrival.arm, end, self.key_hash(number), lost))

    def key_hash(self, number: int) -> str | None:
        key = self.seen[number].key
        return hash_key(SALT, key) if key else None

    def account(self) -> Account:
        rows = _rows(self.counted)
        boots = [self._boot(LIVES), self._boot(FELL)]
        return Account(self.seen, boots, rows, {GENERATION: SALT}, [folded(rows)])

    def _boot(self, id: UUID) -> Boot:
        journal = Written(tuple(one.entry for one in self.written if one.boot == id), SEALED[id])
        if id == FELL:
            return Boot(id, "gateway-2", journal, killed=True)
        return Boot(id, "gateway-1", journal, late_units=self.late_units)


def good_story() -> Story:
    """Each way to ask and to leave, with a key and without one, on a gateway that lives and on one that fell."""
    story = Story()
    for keyed in (True, False):
        _on_the_living(story, keyed=keyed)
        _on_the_fallen(story, keyed=keyed)
    return story


def _on_the_living(story: Story, *, keyed: bool) -> None:
    ends: tuple[tuple[Ending, Arm, UnitEnd], ...] = (
        ("finished", "stable", "ok"), ("finished", "canary", "ok"), ("hung up", "canary", "ok"),
        ("failed", "stable", "error"),
    )  # fmt: skip
    for second, (ending, arm, end) in enumerate(ends, start=100):
        number = story.ask(ending, arm, keyed=keyed)
        story.admit(number, second, end)
        story.count(number, end)
    abandoned = story.ask("left", keyed=keyed)
    story.admit(abandoned, 103, "abandoned", arm="canary")
    story.count(abandoned, "abandoned")
    too_late = story.ask("finished", "stable", keyed=keyed)
    story.admit(too_late, 99)
    story.late_units += 1
    story.ask("left", keyed=keyed)
    story.ask("refused", keyed=keyed)
    story.ask("finished", "stable", keyed=keyed, chosen=True)


def _on_the_fallen(story: Story, *, keyed: bool) -> None:
    told = story.ask("cut", "stable", keyed=keyed, boot=FELL)
    story.admit(told, 100)
    story.count(told, "ok")
    lost_ones: tuple[tuple[Ending, Arm], ...] = (("cut", "canary"), ("hung up", "stable"))
    for ending, arm in lost_ones:
        lost = story.ask(ending, arm, keyed=keyed, boot=FELL)
        story.admit(lost, 102, None)
        story.count(lost, "error", lost=True)
    gone = story.ask("gone", keyed=keyed, boot=FELL)
    story.admit(gone, 102, None, arm="canary")
    story.count(gone, "error", lost=True)
    told_later = story.ask("finished", "canary", keyed=keyed, boot=FELL)
    story.admit(told_later, 103)
    story.count(told_later, "ok")
    story.ask("gone", keyed=keyed, boot=FELL)


def claims(boot: UUID, arrival: Arrival) -> PredictionClaims:
    return PredictionClaims(
        d="films", r=None, g=arrival.generation, s=0, v=UUID(int=9), a=arrival.arm, u="unit", i=0, c="outcome", n=True,
        k=arrival.key_hash is not None, b=boot, t=arrival.second,
    )  # fmt: skip


def folded(rows: Sequence[Row]) -> AnalysisState:
    """By the product's own fold."""
    observations = [Observation(boot=row.boot, second=row.second, generations=row.generations) for row in rows]
    state = enter(begin(POLICY, 0.0), GENERATION, 0, WEIGHT)
    return fold(POLICY, state, Batch(horizon=200, observations=observations))


def _rows(counted: Sequence[Counted]) -> list[Row]:
    rows: defaultdict[tuple[UUID, int, bool], list[Counted]] = defaultdict(list)
    for one in counted:
        rows[one.boot, one.second, one.lost].append(one)
    return [Row(boot, second, lost, (_generation(units),)) for (boot, second, lost), units in rows.items()]


def _generation(units: Sequence[Counted]) -> GenerationSecond:
    return GenerationSecond(
        generation=GENERATION,
        applied_weight=WEIGHT,
        stable=_arm([one for one in units if one.arm == "stable" and one.key_hash is None]),
        canary=_arm([one for one in units if one.arm == "canary" and one.key_hash is None]),
        sessions=tuple(
            SessionUnit(key_hash=one.key_hash, arm=one.arm, end=one.end) for one in units if one.key_hash is not None
        ),
    )


def _arm(units: Sequence[Counted]) -> ArmCounts:
    ends = [one.end for one in units]
    return ArmCounts(units=len(ends), error=ends.count("error"), abandoned=ends.count("abandoned"))
