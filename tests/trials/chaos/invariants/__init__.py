"""What must hold whatever was killed: judged from outside, by the API, the topics and the database."""

from tests.trials.chaos.invariants.auditor import Auditor
from tests.trials.chaos.invariants.expected import AliasMove, Answer, Cut, Expected, Pause, Request, Site, Trouble

__all__ = ["AliasMove", "Answer", "Auditor", "Cut", "Expected", "Pause", "Request", "Site", "Trouble"]
