"""What one seed does: a pure function of the seed and the topology, so that a round that failed can be played again."""

import random
from dataclasses import dataclass
from typing import Final, Literal, get_args

from schemas.jobs import JOB_KINDS, JobKind

Topology = Literal["kafka", "embedded"]
TOPOLOGIES: Final[tuple[Topology, ...]] = get_args(Topology)
Action = Literal["kill", "stop", "restart", "partition", "fill_disk", "jump_clock"]
PartKind = Literal[
    "worker", "api", "relay", "reactions", "reconciler", "gateway", "broker", "postgres", "supervisor", "everything"
]

PARTS: Final[dict[Topology, dict[str, PartKind]]] = {
    "kafka": {
        "worker-1": "worker",
        "worker-2": "worker",
        "api": "api",
        "relay": "relay",
        "reactions": "reactions",
        "reconciler": "reconciler",
        "gateway-1": "gateway",
        "gateway-2": "gateway",
        "broker": "broker",
        "postgres": "postgres",
    },
    "embedded": {
        "worker-1": "worker",
        "worker-2": "worker",
        "api": "api",
        "reactions": "reactions",
        "reconciler": "reconciler",
        "gateway-1": "gateway",
        "supervisor": "supervisor",
        "everything": "everything",
    },
}
WHOLE: Final = ("supervisor", "everything")
"""What has most other parts in it, and shares a round with few."""
CLOCKED: Final = "worker-2"
"""Its clock is the runner's to move."""
LEASE_SECONDS: Final = 3.0
LONGEST_PARTITION: Final = 60.0
PATIENT_BROKER_SECONDS, BROKER_OUTLASTS = 1.2, 9.0
"""A broker is back within the 10 s for which our producers try by themselves, or is killed for 11 to 18 s."""
JUMPS: Final = (-86_400, -7_200, -90, 90, 7_200, 86_400)


@dataclass(frozen=True)
class Fault:
    """`at` and `seconds` after the round's beginning and after the fault's own."""

    action: Action
    part: str
    at: float
    seconds: float
    detail: str = ""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.at:5.1f} s  {self.action} {self.part}{detail} for {self.seconds:.1f} s"


@dataclass(frozen=True)
class Journey:
    """`dice` is a seed of its own: what a journey draws does not depend on how threads are scheduled."""

    name: str
    at: float
    dice: int
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.at:5.1f} s  {self.name}{f' ({self.detail})' if self.detail else ''}"


@dataclass(frozen=True)
class RoundPlan:
    topology: Topology
    seed: int
    kind: JobKind
    """Which kind of job is done for real besides `curate`; every kind has its turn."""
    journeys: tuple[Journey, ...]
    faults: tuple[Fault, ...]
    repeats: float
    """The share of POSTs that the client sends again after their answer, or twice at once."""

    def lines(self) -> list[str]:
        head = f"seed {self.seed} on {self.topology}: {self.repeats:.0%} of POSTs repeated"
        return [head, *(f"  journey {one}" for one in self.journeys), *(f"  fault   {one}" for one in self.faults)]


def plan_round(seed: int, topology: Topology) -> RoundPlan:
    dice = random.Random(f"{topology}/{seed}")
    kind = JOB_KINDS[seed % len(JOB_KINDS)]
    journeys = _journeys(dice, seed, kind)
    faults = _faults(dice, topology)
    return RoundPlan(topology, seed, kind, journeys, faults, dice.choice((0.2, 0.5, 1.0)))


def _journeys(dice: random.Random, seed: int, kind: JobKind) -> tuple[Journey, ...]:
    names: list[tuple[str, str]] = [("curate", ""), ("aliases", ""), ("events", "")]
    names.append(("job", kind) if kind != "curate" else ("pipeline", dice.choice(("release", "chain"))))
    names.append(dice.choice((("cancel", ""), ("pipeline", "chain"), ("curate", ""))))
    if seed % 3 != 2:
        names.append(("rollout", dice.choice(("let be", "let be", "promote", "abort", "pause"))))
    else:
        names.append(("rollback", dice.choice(("calm", "during a rollout", "forced"))))
    return tuple(Journey(name, round(dice.uniform(0, 1.5), 2), dice.getrandbits(32), detail) for name, detail in names)


def _faults(dice: random.Random, topology: Topology) -> tuple[Fault, ...]:
    count = dice.choices((1, 2, 3), weights=(5, 4, 1))[0]
    faults: list[Fault] = []
    while len(faults) < count:
        fault = _fault(dice, topology)
        if not any(_collide(fault, other) for other in faults):
            faults.append(fault)
    return tuple(sorted(faults, key=lambda fault: fault.at))


def _fault(dice: random.Random, topology: Topology) -> Fault:
    at = round(dice.uniform(0.3, 3.5), 2)
    special = dice.random()
    if special < 0.08:
        return Fault("partition", "gateways", at, _partition_seconds(dice), dice.choice(("black hole", "refused")))
    if special < 0.14:
        return Fault("fill_disk", "artifacts", at, round(dice.uniform(1, 4), 1))
    if special < 0.20:
        return Fault("jump_clock", CLOCKED, at, round(dice.uniform(1, 5), 1), f"{dice.choice(JUMPS):+d}")
    part = dice.choice(list(PARTS[topology]))
    action: Action = dice.choices(("kill", "stop", "restart"), weights=(5, 3, 2))[0]
    seconds = _seconds(dice, action)
    if (action, part) == ("kill", "broker") and seconds > PATIENT_BROKER_SECONDS:
        seconds = round(BROKER_OUTLASTS * seconds, 1)
    if action == "stop" and PARTS[topology][part] == "worker" and seconds <= LEASE_SECONDS:
        seconds = round(LEASE_SECONDS + seconds, 1)
    return Fault(action, part, at, seconds)


def _seconds(dice: random.Random, action: Action) -> float:
    """A part stays killed or stopped so long; a stop that outlasts a lease lets its owner wake up as a zombie."""
    if action == "stop":
        return round(dice.choice((dice.uniform(0.3, 2), dice.uniform(1.3, 2) * LEASE_SECONDS)), 1)
    return round(dice.uniform(0, 2), 1)


def _partition_seconds(dice: random.Random) -> float:
    return round(dice.choices((dice.uniform(5, 8), dice.uniform(8, 20), LONGEST_PARTITION), weights=(12, 3, 1))[0], 1)


def _collide(one: Fault, other: Fault) -> bool:
    """A part has one fault at a time; the supervisor is all of them, and does not start without its API."""
    apart = ("artifacts", CLOCKED)
    return one.part == other.part or any(
        a.part in WHOLE and b.part not in apart for a, b in ((one, other), (other, one))
    )


# --- few rounds that meet everything ----------------------------------------------------------------------------------

SEEDS_A_DAY: Final = 1000
"""A day's sample is chosen among so many seeds, which no other day has."""

WEIGHTS: Final = {"whole": 14, "part": 10, "action": 4, "journey": 3, "kind": 2}
"""What a plan is worth for meeting a thing that no chosen one meets."""


def choose_sample(topology: Topology, count: int, day: int) -> list[int]:
    """`count` seeds of a day whose plans meet as much as so few can: parts first, then actions and journeys."""
    plans = [plan_round(seed, topology) for seed in range(day * SEEDS_A_DAY + 1, (day + 1) * SEEDS_A_DAY + 1)]
    chosen: list[RoundPlan] = []
    met: set[tuple[str, str]] = set()
    for _ in range(count):
        best = max(plans, key=lambda plan: sum(WEIGHTS[what] for what, _ in _meets(plan) - met))
        chosen.append(best)
        met |= _meets(best)
    return [plan.seed for plan in chosen]


def _meets(plan: RoundPlan) -> set[tuple[str, str]]:
    kinds = {PARTS[plan.topology].get(fault.part, fault.part) for fault in plan.faults}
    parts = {("whole" if kind in WHOLE else "part", kind) for kind in kinds}
    actions = {("action", fault.action) for fault in plan.faults}
    journeys = {("journey", journey.name) for journey in plan.journeys}
    return parts | actions | journeys | {("kind", plan.kind)}
