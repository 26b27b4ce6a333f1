"""The phases of everything that has them, and which of them are ends."""

from typing import Final, Literal

JobPhase = Literal["Pending", "Running", "Succeeded", "Failed", "Cancelled"]
FINAL_JOB_PHASES: Final[frozenset[JobPhase]] = frozenset({"Succeeded", "Failed", "Cancelled"})

StagePhase = Literal["Waiting", "Running", "Succeeded", "Failed", "Cancelled", "Skipped"]
FINAL_STAGE_PHASES: Final[frozenset[StagePhase]] = frozenset({"Succeeded", "Failed", "Cancelled", "Skipped"})

RunPhase = Literal["Running", "Succeeded", "Failed", "Cancelled"]
FINAL_RUN_PHASES: Final[frozenset[RunPhase]] = frozenset({"Succeeded", "Failed", "Cancelled"})

RollbackPhase = Literal["Verifying", "Succeeded", "Failed"]
"""Verifying: gateways load the target and answer a smoke row, before the pointer moves."""

RolloutPhase = Literal[
    "Queued", "Gating", "Verifying", "Progressing", "Paused", "Promoted", "RolledBack", "Aborted", "Superseded"
]
"""Gating: gates are judged. Verifying: live gateways load it and answer a smoke row. Progressing: the canary's ladder.
Paused: the ladder stands (INCONCLUSIVE with `hold`, INVALID, or a person). The last four are final."""
ACTIVE_ROLLOUT_PHASES: Final[frozenset[RolloutPhase]] = frozenset({"Gating", "Verifying", "Progressing", "Paused"})
"""A deployment has one rollout of these at most; queued ones wait for it."""
FINAL_ROLLOUT_PHASES: Final[frozenset[RolloutPhase]] = frozenset({"Promoted", "RolledBack", "Aborted", "Superseded"})
