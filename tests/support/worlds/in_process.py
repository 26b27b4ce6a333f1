"""The control plane in this process: the real API on one database, and versions that nobody trained."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, get_args
from uuid import UUID

from fastapi.testclient import TestClient
from sqlmodel import select

from controlplane.api.app import create_app
from controlplane.commands.spine.tokens import create_token
from controlplane.duties.rollouts import fold_rollouts
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.serving_tables import GatewayBootRow, LabelRow, RollbackRow, RolloutRow
from controlplane.store.tables import DatasetVersionRow
from schemas.jobs.attack import AttackResult
from schemas.jobs.evaluate import EvaluateResult
from schemas.jobs.export import ExportResult
from schemas.model.identity import ModelIdentity
from schemas.roles import Role
from tests.support.answers import ok
from tests.support.builders.artifacts import digest
from tests.support.builders.datasets import DATASET
from tests.support.builders.models import IDENTITY
from tests.support.builders.planted import plant_attachment, plant_dataset, plant_job, plant_model, plant_version
from tests.support.builders.results import TEST_ROWS, attacked, beside, curated, evaluated, exported

ROLES: tuple[Role, ...] = get_args(Role)
CANARY: dict[str, Any] = {
    "steps": [0.1, 0.5],
    "step_seconds": 0,
    "step_units": 30,
    "tick_seconds": 0.05,
    "metrics": [{"name": "error", "margin": 0.1}],
    "label_wait_seconds": 0,
}
"""A ladder that a test climbs in a few observed seconds."""
MOMENTS: dict[type[Any], tuple[str, ...]] = {
    RolloutRow: ("probe_deadline", "folded_at", "fold_failed_at", "paused_at"),
    RollbackRow: ("deadline",),
    GatewayBootRow: ("watermark_at", "registered_at"),
    LabelRow: ("at",),
}


@dataclass(frozen=True)
class Findings:
    """What is known about a planted version."""

    exported: bool = True
    parity: float = 1e-5
    accuracy: float | None = None
    attack_success: float | None = None
    against: UUID | None = None
    """The version that it was measured beside."""
    difference: float = 0.0
    """Of its accuracy from that version's, on the same rows."""


class Reports(Protocol):
    """What says to the control plane that it has loaded what is desired."""

    def report(self) -> None: ...


class InProcess:
    """A client for each role, and the reconciler's duty by hand; `app` can be served on a socket."""

    def __init__(self, database: Database, **settings: Any) -> None:
        self.database = database
        self.settings = Settings(**{"failed_logins_per_minute": 1000, **settings})
        self.app = create_app(self.settings, database)
        with database.begin("test") as uow:
            self.tokens = {role: create_token(uow, role, role)[1] for role in ROLES}
        self.versions = 0

    def dataset(self, name: str, version: int, dataset_id: UUID, rows: str = TEST_ROWS) -> None:
        """A planted dataset version: equal `rows` are equal rows of its test split."""
        digests = {"test": digest(rows), "validation": digest(f"validation {rows}"), "train": digest(str(dataset_id))}
        counts = {"train": 80, "validation": 1000, "test": 1000}
        made = curated(str(dataset_id), dataset=name, rows=counts, split_digests=digests)
        with self.database.begin("test") as uow:
            plant_dataset(uow, dataset_id, version, made)

    def client(self, role: Role | None, **options: Any) -> TestClient:
        """Calls the API in this process; without a role, without a token."""
        headers = {"authorization": f"Bearer {self.tokens[role]}"} if role else {}
        return TestClient(self.app, headers=headers, **options)

    def person(self, name: str, role: Role) -> TestClient:
        """Somebody with a token of that name; each call mints another token."""
        with self.database.begin("test") as uow:
            token = create_token(uow, name, role)[1]
        return TestClient(self.app, headers={"authorization": f"Bearer {token}"})

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            fold_rollouts(self.database, self.settings)

    def pass_time(self, seconds: float) -> None:
        """As if so many seconds had gone by: every stored moment that a rollout is judged by lies further back."""
        back = timedelta(seconds=seconds)
        with self.database.begin("test") as uow:
            for row_type, names in MOMENTS.items():
                for row in uow.session.exec(select(row_type)).all():
                    for name in names:
                        if (at := getattr(row, name)) is not None:
                            setattr(row, name, at - back)
                    if isinstance(row, RolloutRow) and row.analysis is not None:
                        row.analysis = {**row.analysis, "started_at": row.analysis["started_at"] - seconds}

    def deploy(self, name: str = "reviews", **policy: Any) -> dict[str, Any]:
        policy = {"canary": CANARY, **policy}
        body = {"model": "sentiment", "policy": policy}
        return ok(self.client("releaser").put(f"/v1/deployments/{name}", json=body))

    def version(self, learnt: Findings | None = None, identity: ModelIdentity = IDENTITY) -> UUID:
        """A new version, with what was learnt about it attached."""
        self.versions += 1
        with self.database.begin("test") as uow:
            plant_model(uow)
            row = plant_version(uow, plant_job(uow), self.versions, identity=identity.model_dump(mode="json"))
            version_id, job_id = row.id, row.job_id
        self.learn(version_id, job_id, learnt or Findings())
        return version_id

    def learn(self, version: UUID, job: UUID, learnt: Findings) -> None:
        results: list[ExportResult | EvaluateResult | AttackResult] = []
        results += [exported(version, max_abs_diff=learnt.parity)] if learnt.exported else []
        if learnt.accuracy is not None:
            other = beside(learnt.against, learnt.difference) if learnt.against else None
            results += [evaluated(version, learnt.accuracy, other)]
        results += [attacked(version, learnt.attack_success)] if learnt.attack_success is not None else []
        if len(results) > learnt.exported:
            self._measured_rows()
        with self.database.begin("test") as uow:
            for result in results:
                plant_attachment(uow, result, job)

    def _measured_rows(self) -> None:
        with self.database.read() as session:
            known = session.exec(select(DatasetVersionRow).where(DatasetVersionRow.id == DATASET)).first()
        if known is None:
            self.dataset("reviews", 1, DATASET)

    def release(self, version: UUID, role: Role = "operator", **body: Any) -> dict[str, Any]:
        body = {"deployment": "reviews", "model_version": str(version), "reason": "a test", **body}
        return ok(self.client(role).post("/v1/rollouts", json=body))

    def rollout(self, rollout_id: str) -> dict[str, Any]:
        return ok(self.client("viewer").get(f"/v1/rollouts/{rollout_id}"))

    def phases(self) -> list[str]:
        """Of every rollout, oldest first."""
        return [item["phase"] for item in reversed(ok(self.client("viewer").get("/v1/rollouts"))["items"])]

    def deployment(self) -> dict[str, Any]:
        return ok(self.client("viewer").get("/v1/deployments/reviews"))

    def alias(self) -> dict[str, Any]:
        return ok(self.client("viewer").get("/v1/models/sentiment/aliases/champion"))

    def moves(self) -> list[dict[str, Any]]:
        """Of the alias, newest first."""
        return ok(self.client("viewer").get("/v1/models/sentiment/aliases/champion/history"))["items"]  # type: ignore[no-any-return]

    def decisions(self, rollout_id: str) -> list[dict[str, Any]]:
        viewer = self.client("viewer")
        listed = viewer.get(f"/v1/rollouts/{rollout_id}/decisions").json()
        return [ok(viewer.get(f"/v1/decisions/{item['id']}")) for item in listed]

    def first_champion(self, identity: ModelIdentity = IDENTITY) -> UUID:
        """Released with no gateway live."""
        version = self.version(identity=identity)
        self.release(version)
        self.turn()
        assert self.deployment()["desired"]["stable"] == str(version)
        return version

    def canary(self, *gateways: Reports, version: UUID | None = None) -> dict[str, Any]:
        """A rollout whose canary has its first weight on all these gateways."""
        rollout = self.release(version or self.version())
        for gateway in gateways:
            gateway.report()
        self.turn()
        rollout = self.rollout(rollout["id"])
        assert rollout["phase"] == "Progressing", rollout
        return rollout
