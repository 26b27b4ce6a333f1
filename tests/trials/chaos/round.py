"""One round: journeys and faults at once, then everything healed, all quiet, and every invariant asked."""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.trials.chaos import burst
from tests.trials.chaos.caller import Caller
from tests.trials.chaos.doors import Door
from tests.trials.chaos.faults import Recovery, Skipped, suffer
from tests.trials.chaos.invariants.auditor import Auditor
from tests.trials.chaos.journeys import Traveller, travel
from tests.trials.chaos.ledger import Ledger
from tests.trials.chaos.plan import Fault, Journey, RoundPlan
from tests.trials.chaos.proofs import Prover
from tests.trials.chaos.quiet import unwanted_ends, wait_until_quiet
from tests.trials.chaos.site import ChaosSite
from tests.trials.chaos.traffic import Traffic
from tests.trials.chaos.watch import Watch

DISTURBS_RELAY = ("relay", "broker", "postgres")
logger = logging.getLogger(__name__)


@dataclass
class Outcome:
    plan: RoundPlan
    seconds: float = 0.0
    recoveries: list[Recovery] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)


@dataclass
class Round:
    """`play` it once."""

    site: ChaosSite
    plan: RoundPlan
    outcome: Outcome
    auditor: Auditor
    """The auditor of this site, since the site was opened."""

    def play(self) -> Outcome:
        began = time.monotonic()
        dice = random.Random(self.plan.seed)
        with (
            self._caller(dice) as user,
            self._caller(dice, repeats=0) as watcher,
            Traffic(self.site.gateways(), user, self.outcome.ledger, dice),
            Watch(self.auditor, self.outcome.ledger.expected) as watch,
        ):
            self._all_at_once(dice)
            self.outcome.violations += wait_until_quiet(self.site, watcher, self.outcome.ledger)
            self.outcome.violations += unwanted_ends(watcher, self.outcome.ledger)
        self.outcome.ledger.expected.secrets |= self.site.secrets
        self.outcome.ledger.expected.relay_disturbed = any(f.part in DISTURBS_RELAY for f in self.plan.faults)
        self.outcome.violations += watch.violations if watch.glances else [*watch.violations, "nobody could glance"]
        self.outcome.violations += self.auditor.look(self.outcome.ledger.expected)
        self.outcome.violations += self.outcome.ledger.oddities
        self.outcome.crashes, self.site.crashes = self.site.crashes, []
        self.outcome.violations += self.outcome.crashes
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    def _all_at_once(self, dice: random.Random) -> None:
        tasks: list[Callable[[], None]] = [self._journey(one) for one in self.plan.journeys]
        tasks += [self._fault(one, random.Random(dice.getrandbits(32))) for one in self.plan.faults]
        tasks += [
            self._burst(at, door, f"{self.plan.seed}-burst-{number}-{writer}")
            for number, at in enumerate(burst.begins(self.plan.faults))
            for writer, door in enumerate(burst.WRITERS)
        ]
        threads = [threading.Thread(target=self._guarded, args=(task,), daemon=True) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _guarded(self, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception as error:  # whatever ends a journey or a proof early is the round's failure
            logger.debug("a task of the round failed", exc_info=error)
            self.outcome.violations.append(f"{type(error).__name__}: {error}")

    def _journey(self, journey: Journey) -> Callable[[], None]:
        def go() -> None:
            time.sleep(journey.at)
            dice = random.Random(journey.dice)
            with self._caller(dice) as caller:
                travel(Traveller(self.site, self.plan, journey, caller, self.outcome.ledger, dice))

        return go

    def _fault(self, fault: Fault, dice: random.Random) -> Callable[[], None]:
        def go() -> None:
            time.sleep(fault.at)
            with self._caller(dice, repeats=0) as caller:
                try:
                    self.outcome.recoveries += suffer(Prover(self.site, caller, self.outcome.ledger), fault)
                except Skipped as skipped:
                    self.outcome.skipped.append(str(skipped))

        return go

    def _burst(self, at: float, door: Door, name: str) -> Callable[[], None]:
        def go() -> None:
            time.sleep(at)
            with self._caller(random.Random(name), repeats=0) as caller:
                burst.write_events(caller, door, self.site.bootstrap_servers, self.outcome.ledger, name)

        return go

    def _caller(self, dice: random.Random, repeats: float | None = None) -> Caller:
        share = self.plan.repeats if repeats is None else repeats
        own = random.Random(dice.getrandbits(64))
        return Caller(self.site.api_url, self.site.admin_token, self.outcome.ledger, own, share)
