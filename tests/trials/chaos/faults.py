"""Does to a site what a fault says, heals it, and says how long the part took to work again."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

from tests.trials.chaos.foundation import CANARY
from tests.trials.chaos.invariants.expected import Cut, Pause, Trouble
from tests.trials.chaos.plan import LEASE_SECONDS, PARTS, Action, Fault
from tests.trials.chaos.proofs import Prover
from tests.trials.chaos.proxy import How
from tests.trials.chaos.site import ChaosSite

LONGEST_WAIT_SECONDS: Final = 4.0
LOOK_SECONDS: Final = 0.01
WHOLE: Final = ("supervisor", "everything")
"""With it goes every gateway of the machine."""


@dataclass(frozen=True)
class Recovery:
    """`seconds` from the kill, or from the healing of what was only stopped, to the proof."""

    kind: str
    action: Action
    part: str
    seconds: float


class Skipped(Exception):
    """This machine cannot do that"""


def suffer(prover: Prover, fault: Fault) -> list[Recovery]:
    """Returns when every part that it hit has proved that it works. Raises Skipped and NotRecovered."""
    since = time.time()
    try:
        return FAULTS[fault.action](prover, fault)
    finally:
        for gateway in _gateways_hit(prover.site, fault):
            prover.ledger.note("troubles", Trouble(gateway, since, time.time()))


def _gateways_hit(site: ChaosSite, fault: Fault) -> list[str]:
    """A gateway that is only cut off from the API, or whose API is hit, owes its users an answer all the while."""
    if fault.action not in ("kill", "stop", "restart"):
        return []
    return [name for name in site.gateways() if fault.part in (name, *WHOLE)]


def kill(prover: Prover, fault: Fault) -> list[Recovery]:
    part = prover.site.parts[fault.part]
    _until_at_work(prover.site, fault.part)
    began = time.monotonic()
    part.kill()
    time.sleep(fault.seconds)
    part.start()
    return [_proved(prover, fault, fault.part, began)]


def stop(prover: Prover, fault: Fault) -> list[Recovery]:
    part = prover.site.parts[fault.part]
    if fault.part in prover.site.gateways():
        prover.ledger.note("pauses", Pause(fault.part, time.time()))
    job = _until_at_work(prover.site, fault.part)
    part.pause()
    try:
        _while_stopped(prover.site, fault, job)
    finally:
        part.resume()
    return [_proved(prover, fault, fault.part, time.monotonic())]


def restart(prover: Prover, fault: Fault) -> list[Recovery]:
    _until_at_work(prover.site, fault.part)
    began = time.monotonic()
    prover.site.parts[fault.part].restart()
    return [_proved(prover, fault, fault.part, began)]


def partition(prover: Prover, fault: Fault) -> list[Recovery]:
    """Every gateway is cut off from the API; users still reach them, and the API everybody else."""
    prover.site.proxy.cut(cast(How, fault.detail))
    since = time.time()
    try:
        time.sleep(fault.seconds)
    finally:
        until = time.time()
        prover.site.proxy.heal()
    healed = time.monotonic()
    for name in prover.site.gateways():
        prover.ledger.note("cuts", Cut(name, since, until, CANARY["lease_seconds"]))
    return [_proved(prover, fault, name, healed) for name in prover.site.gateways()]


def fill_disk(prover: Prover, fault: Fault) -> list[Recovery]:
    """A job that is asked for while the artifact store is full ends well when it is not."""
    disk = prover.site.disk
    if not disk.can_fill:
        raise Skipped(f"no full disk: {disk.reason}")
    disk.fill()
    try:
        job = prover.ask_for_job()
        time.sleep(fault.seconds)
    finally:
        disk.free()
    freed = time.monotonic()
    prover.job_succeeds(job)
    return [Recovery("artifact store", fault.action, fault.part, time.monotonic() - freed)]


def jump_clock(prover: Prover, fault: Fault) -> list[Recovery]:
    """The worker's wall clock is wrong for a while; nothing that it does may depend on it."""
    clock = prover.site.clock
    if clock.reason:
        raise Skipped(f"no jumping clock: {clock.reason}")
    clock.set(int(fault.detail))
    try:
        wrong = time.monotonic()
        recovery = _proved(prover, fault, fault.part, wrong)
        time.sleep(max(0.0, wrong + fault.seconds - time.monotonic()))
    finally:
        clock.set()
    return [recovery]


def _until_at_work(site: ChaosSite, part: str) -> str | None:
    """A worker is hit in the middle of a job, however fast the machine is, unless none comes to it. The job."""
    until = time.monotonic() + LONGEST_WAIT_SECONDS
    while PARTS[site.topology][part] == "worker" and time.monotonic() < until:
        with suppress(OSError):
            if job := site.peek().job_of(part):
                return job
        time.sleep(LOOK_SECONDS)
    return None


def _while_stopped(site: ChaosSite, fault: Fault, job: str | None) -> None:
    """A worker that outlasts its lease wakes up, if it can be had, while another one does its job: as a zombie."""
    until = time.monotonic() + fault.seconds
    if job is None or fault.seconds < LEASE_SECONDS:
        time.sleep(fault.seconds)
        return
    peek = site.peek()
    while time.monotonic() < until + LONGEST_WAIT_SECONDS:
        with suppress(OSError):
            if peek.is_done_by_another(job, fault.part) or (peek.is_over(job) and time.monotonic() > until):
                return
        time.sleep(LOOK_SECONDS)


def _proved(prover: Prover, fault: Fault, part: str, since: float) -> Recovery:
    kind = PARTS[prover.site.topology][part]
    prover.prove(kind, part)
    return Recovery(kind, fault.action, part, time.monotonic() - since)


FAULTS: Final[dict[Action, Callable[[Prover, Fault], list[Recovery]]]] = {
    "kill": kill,
    "stop": stop,
    "restart": restart,
    "partition": partition,
    "fill_disk": fill_disk,
    "jump_clock": jump_clock,
}
