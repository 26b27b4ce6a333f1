"""Canary analysis as pure functions: observations in, evidence and a verdict out (no I/O, no clock, no randomness).

How the reconciler uses this
----------------------------
The reconciler keeps one `AnalysisState` per rollout: `state.model_dump(mode="json")` goes into the rollout's row,
`AnalysisState.model_validate(row.analysis)` brings it back bit for bit. All times are database time as epoch seconds,
but for an observation's `second`, which is the gateways' arrival clock. In one transaction per rollout and turn:

1. A generation with a canary weight is created (first step, next step, or the same step again after a weight of 0):
       state = begin(policy, started_at)                  # state.py; once, when the canary first gets weight
       state = enter(state, generation, step, weight)     # state.py; for every generation with a canary weight > 0
   Only entered generations are folded: others (before the rollout, weight 0) may be in a batch and are skipped.
2. Every turn (fold.py):
       batch = Batch(horizon=T, observations=..., labels_until=..., labels=..., lost_boots=...)
       state = fold(policy, state, batch)
   - `horizon`: T, the least watermark of the live boots. `observations`: `schemas.serving.Observation`s with
     `state.horizon < second <= T`, of live and of past boots, lost units too. Order does not matter. What lies at or
     below the state's horizon changes nothing (recording it as lost is the endpoint's work), what lies beyond T waits.
   - `labels_until`: the storing second up to which no label can appear any more: `floor(database now) - 2`.
     It has nothing to do with T: a gateway's clock may run ahead of the database's, or behind it.
     `labels`: `Label(generation, arm, wrong, stored_at, key)` with
     `state.labels_horizon < floor(stored_at) <= labels_until`. Pass only labels whose prediction was counted and, of a
     request, only its first labelled row. `key` is the session's key hash, None for a unit without one; the fold keeps
     the first per key and step.
   - `lost_boots`: ids of boots lost while a canary had weight (a repeat changes nothing). Two make it INVALID.
3. The decision (verdict.py):
       assessment = assess(policy, state, now, last_heard)
   `last_heard`: database time of the last observation accepted for the deployment, None if there is none.
   `assessment.verdict` is HARM | INVALID | SAFE | INCONCLUSIVE | None, asked in that order; `.rule` names the rule
   that decided, `.reason` says it in words, `.ends_by_itself` is True for provider silence only.
   With verdict None and `assessment.ladder.may_leave` (also `next_step(policy, state)`) and not
   `assessment.ladder.last`, the rollout enters step `assessment.ladder.step + 1`: create the generation, `enter` it.
4. When it decides (explain.py): store `decision_inputs(policy, state, now, last_heard)` (plain JSON, without session
   keys) as `Decision.inputs`; `recompute(inputs) -> Assessment` replays the closed blocks and gives the same
   assessment; `explain(policy, assessment) -> list[str]` are the lines of `graftwork why`.
   After HARM or SAFE set `state = conclude(state, verdict)` (state.py): later folds change nothing. INCONCLUSIVE with
   `hold`, INVALID and a person's pause keep folding: harm is still watched.
"""
