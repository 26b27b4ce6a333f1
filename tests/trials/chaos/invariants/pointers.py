"""Pointers: one champion at all times, histories without a break, generations one by one, rollouts that end."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.orm import defer
from sqlmodel import col, select

from controlplane.commands.serving.observations import FOLD_AGE
from controlplane.store.serving_tables import DecisionRow, DeploymentRow, GenerationRow, RollbackRow, RolloutRow
from controlplane.store.tables import AliasHistoryRow, AliasRow, PipelineRunRow
from schemas.facts import AliasMoved, RolloutAdvanced, RolloutFinished
from schemas.phases import ACTIVE_ROLLOUT_PHASES, FINAL_ROLLOUT_PHASES
from tests.trials.chaos.invariants.expected import AliasMove
from tests.trials.chaos.invariants.view import View, short

Name = tuple[str, str]


class Aliases:
    """Facts and history tell the same chain, the pointer stands at its end, and every accepted move came where its
    `If-Match` said."""

    def __init__(self) -> None:
        self._row = 0
        self._told: dict[Name, list[tuple[str, str | None]]] = defaultdict(list)
        """By fact: (history id, version) in order."""
        self._kept: dict[Name, list[tuple[UUID, UUID | None]]] = defaultdict(list)
        """By history row."""
        self._moves: set[AliasMove] = set()

    def judge(self, view: View) -> Iterator[str]:
        yield from self._read_facts(view)
        yield from self._read_history(view)
        for name, kept in self._kept.items():
            if [(str(move), version and str(version)) for move, version in kept] != self._told[name]:
                yield f"alias {_said(name)}: its history and its facts differ"
        yield from self._pointers(view)
        for move in sorted(view.expected.moves - self._moves, key=lambda move: move.id):
            yield from self._was_answered(move)
        self._moves |= view.expected.moves

    def _read_facts(self, view: View) -> Iterator[str]:
        for row in view.facts:
            if row.type != AliasMoved.TYPE:
                continue
            chain = self._told[row.data["model"], row.data["alias"]]
            last = chain[-1][1] if chain else None
            if row.data["previous"] != last:
                name = f"{row.data['model']}@{row.data['alias']}"
                yield f"alias {name}: fact {row.seq} moves it from {row.data['previous']}, it was at {last}"
            chain.append((row.data["history_id"], row.data["model_version_id"]))

    def _read_history(self, view: View) -> Iterator[str]:
        query = select(AliasHistoryRow).where(col(AliasHistoryRow.seq) > self._row)
        for row in view.session.exec(query.order_by(col(AliasHistoryRow.seq))).all():
            self._row = row.seq or self._row
            chain = self._kept[row.model, row.alias]
            last = chain[-1][1] if chain else None
            if row.previous != last:
                yield f"alias {row.model}@{row.alias}: move {row.id} is from {row.previous}, it was at {last}"
            chain.append((row.id, row.model_version_id))

    def _pointers(self, view: View) -> Iterator[str]:
        rows = view.session.exec(select(AliasRow)).all()
        found = {(row.model, row.alias): (row.history_id, row.model_version_id) for row in rows}
        for name in self._kept.keys() | found.keys():
            last = self._kept[name][-1] if self._kept[name] else None
            wanted = last if last and last[1] is not None else None
            if found.get(name) != wanted:
                yield f"alias {_said(name)}: it is {found.get(name)}, its last move made it {wanted}"

    def _was_answered(self, move: AliasMove) -> Iterator[str]:
        chain = self._kept[move.model, move.alias]
        places = [place for place, (move_id, _) in enumerate(chain) if move_id == move.id]
        name = _said((move.model, move.alias))
        if not places or chain[places[0]][1] != move.version_id:
            yield f"alias {name}: move {move.id} was accepted, and the history does not have it"
            return
        before = chain[places[0] - 1] if places[0] else None
        expected = before[0] if before and before[1] is not None else None
        if move.expected != expected:
            yield f"alias {name}: move {move.id} was accepted on top of {move.expected}, it came after {expected}"


def _said(name: Name) -> str:
    return "@".join(name)


class Deployments:
    """Generations are 1, 2, 3 …, the deployment is at the last one, and the alias points at its stable version."""

    def __init__(self) -> None:
        self._last: Counter[str] = Counter()

    def judge(self, view: View) -> Iterator[str]:
        aliases = {(row.model, row.alias): row.model_version_id for row in view.session.exec(select(AliasRow))}
        for deployment in view.session.exec(select(DeploymentRow)).all():
            name, before = deployment.name, self._last[deployment.name]
            query = select(GenerationRow).where(GenerationRow.deployment == name, GenerationRow.generation > before)
            rows = view.session.exec(query.order_by(col(GenerationRow.generation))).all()
            numbers = [row.generation for row in rows]
            if numbers != list(range(before + 1, deployment.generation + 1)):
                yield f"deployment {name}: at generation {deployment.generation}, after {before} came {numbers}"
            self._last[name] = max([before, *numbers])
            yield from self._points(view, deployment, aliases.get((deployment.model, deployment.alias)))

    def _points(self, view: View, deployment: DeploymentRow, champion: UUID | None) -> Iterator[str]:
        current = view.session.get(GenerationRow, (deployment.name, deployment.generation))
        stable = current.stable if current else None
        if stable != champion:
            yield f"deployment {deployment.name}: it serves {stable}, {deployment.alias} is {champion}"
        if current is None or (current.canary is None and current.weight == 0):
            return
        rollout = view.session.get(RolloutRow, current.rollout_id) if current.rollout_id else None
        if rollout is None or rollout.phase not in ACTIVE_ROLLOUT_PHASES or rollout.weight != current.weight:
            phase = rollout.phase if rollout else "none"
            yield f"deployment {deployment.name}: a canary has weight {current.weight} and its rollout is {phase}"


STILL_GOING: Final = FOLD_AGE
"""A fold that is older than this is no longer watching: a gateway's lease says the same."""


class Rollouts:
    """Each ends once, or goes on with a fresh fold, or waits for a person; every decision can be recomputed."""

    def __init__(self) -> None:
        self._over: dict[str, str] = {}
        self._decision = 0
        self._asked: set[UUID] = set()

    def judge(self, view: View) -> Iterator[str]:
        for row in view.facts:
            if row.type not in (RolloutAdvanced.TYPE, RolloutFinished.TYPE):
                continue
            rollout_id = row.data["rollout_id"]
            if rollout_id in self._over:
                yield f"rollout {rollout_id}: {short(row.type)} (fact {row.seq}) after it was {self._over[rollout_id]}"
            if row.type == RolloutFinished.TYPE:
                self._over[rollout_id] = row.data["phase"]
        yield from self._rows(view)
        yield from self._decisions(view)

    def _rows(self, view: View) -> Iterator[str]:
        self._asked |= view.expected.rollouts
        rows = view.session.exec(select(RolloutRow).options(defer(RolloutRow.analysis), defer(RolloutRow.gates))).all()  # type: ignore[arg-type]
        for deployment, times in Counter(row.deployment for row in rows if row.phase in ACTIVE_ROLLOUT_PHASES).items():
            if times > 1:
                yield f"deployment {deployment}: {times} rollouts are active at once"
        for lost in self._asked - {row.id for row in rows}:
            yield f"rollout {lost}: accepted, and it does not exist"
        for row in rows:
            if row.phase in FINAL_ROLLOUT_PHASES and self._over.get(str(row.id)) != row.phase:
                yield f"rollout {row.id}: it is {row.phase}, its facts say {self._over.get(str(row.id))}"
            if why := _hangs(row, view):
                yield f"rollout {row.id}: it is {row.phase} and {why}"
        yield from _rollbacks_and_runs(view)

    def _decisions(self, view: View) -> Iterator[str]:
        query = select(DecisionRow.seq, DecisionRow.id).where(col(DecisionRow.seq) > self._decision)
        for seq, decision_id in view.session.exec(query.order_by(col(DecisionRow.seq))).all():
            self._decision = seq or self._decision
            if not view.client.why(decision_id).recomputed:
                yield f"decision {decision_id}: judged again, its stored inputs give another verdict"


def _hangs(row: RolloutRow, view: View) -> str | None:
    """Why a rollout that has not ended should have, or None."""
    if row.phase == "Progressing" and (row.folded_at is None or view.now - row.folded_at > STILL_GOING):
        return f"nobody has folded it since {row.folded_at}"
    if row.phase == "Verifying" and row.probe_deadline and view.now > row.probe_deadline + timedelta(seconds=10):
        return f"its time to be verified ended at {row.probe_deadline}"
    if row.phase == "Gating":
        return "gates are judged in one transaction"
    if row.phase == "Queued" and not _waits_for_something(row, view):
        return "nothing is before it"
    return None


def _waits_for_something(row: RolloutRow, view: View) -> bool:
    deployment = view.session.get(DeploymentRow, row.deployment)
    active = select(RolloutRow.id).where(
        RolloutRow.deployment == row.deployment, col(RolloutRow.phase).in_(sorted(ACTIVE_ROLLOUT_PHASES))
    )
    return (deployment is not None and deployment.frozen) or view.session.exec(active).first() is not None


def _rollbacks_and_runs(view: View) -> Iterator[str]:
    late = view.now - timedelta(seconds=10)
    for rollback in view.session.exec(select(RollbackRow).where(RollbackRow.phase == "Verifying")):
        if rollback.deadline < late:
            yield f"rollback {rollback.id}: its deadline was {rollback.deadline} and it has not ended"
    for run in view.session.exec(select(PipelineRunRow).where(PipelineRunRow.phase == "Running")):
        if not _has_work(run, view):
            yield f"run {run.id}: it is Running and none of its jobs and rollouts is"


def _has_work(run: PipelineRunRow, view: View) -> bool:
    """A rollout of its own that still goes on; its jobs have all ended when the site is at rest."""
    going = select(RolloutRow.id).where(
        RolloutRow.run_id == run.id, col(RolloutRow.phase).not_in(sorted(FINAL_ROLLOUT_PHASES))
    )
    return view.session.exec(going).first() is not None
