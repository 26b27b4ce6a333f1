"""A control plane with roles, versions without training, and a gateway that a test speaks for."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, get_args
from uuid import UUID, uuid4

from fastapi.testclient import TestClient
from sqlmodel import select

from controlplane.api.app import create_app
from controlplane.commands.spine.tokens import create_token
from controlplane.domain.canonical import digest
from controlplane.duties.rollouts import fold_rollouts
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.insert import insert_once
from controlplane.store.serving_tables import GatewayBootRow, LabelRow, RollbackRow, RolloutRow
from controlplane.store.tables import (
    AttachmentRow,
    DatasetRow,
    DatasetVersionRow,
    JobRow,
    ModelVersionRow,
    RegisteredModelRow,
)
from schemas.artifacts import ArtifactRef, GraphRef
from schemas.evidence import Interval, Paired
from schemas.jobs.attack import AttackResult
from schemas.jobs.curate import CurateResult
from schemas.jobs.evaluate import ClassScore, EvaluateResult
from schemas.jobs.export import ExportResult
from schemas.prediction_id import encode_prediction_id
from schemas.roles import Role
from schemas.serving import Arm, Generation, PredictionClaims

LABELS = ("negative", "positive")
ROLES: tuple[Role, ...] = get_args(Role)
DATASET = UUID(int=7)
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


def artifact(name: str) -> ArtifactRef:
    return ArtifactRef(digest=digest(name), size=1, media_type="application/octet-stream")


def interval(value: float, spread: float = 0.02) -> Interval:
    return Interval(value=value, low=max(0.0, value - spread), high=min(1.0, value + spread), n=1000)


@dataclass(frozen=True)
class Learnt:
    """What is known about a planted version."""

    exported: bool = True
    parity: float = 1e-5
    accuracy: float | None = None
    attack_success: float | None = None
    against: UUID | None = None
    """The version that it was measured beside."""
    difference: float = 0.0
    """The difference of its accuracy from that version's, on the same rows."""


class Site:
    """The API of one database, a client for each role, and the reconciler's duty by hand."""

    def __init__(self, database: Database, **settings: Any) -> None:
        self.database = database
        self.settings = Settings(failed_logins_per_minute=1000, **settings)
        self.app = create_app(self.settings, database)
        with database.begin("test") as uow:
            self._tokens = {role: create_token(uow, role, role)[1] for role in ROLES}
        self.versions = 0

    def dataset(self, name: str, version: int, dataset_id: UUID, rows: str = "test rows") -> None:
        """A planted dataset version: equal `rows` are equal rows of its test split."""
        digests = {"test": digest(rows), "validation": digest(f"validation {rows}"), "train": digest(str(dataset_id))}
        counts = {"train": 80, "validation": 1000, "test": 1000}
        made = CurateResult(
            dataset=name,
            manifest=artifact(f"manifest {dataset_id}"),
            digest=digest(str(dataset_id)),
            rows=counts,
            split_digests=digests,
            rejected={},
        )
        with self.database.begin("test") as uow:
            now = uow.now()
            insert_once(uow, DatasetRow(name=name, created_at=now, versions=version))
            job = JobRow(
                id=uuid4(), kind="curate", spec={}, refused_by=[], actor="test", correlationid="test", created_at=now
            )
            job.result, job.phase = made.model_dump(mode="json"), "Succeeded"
            uow.session.add(job)
            uow.session.flush()
            row = DatasetVersionRow(
                id=dataset_id,
                dataset=name,
                version=version,
                digest=made.digest,
                manifest=made.manifest.model_dump(mode="json"),
                rows=counts,
                rejected={},
                job_id=job.id,
                created_at=now,
            )
            uow.session.add(row)

    def client(self, role: str) -> TestClient:
        return TestClient(self.app, headers={"authorization": f"Bearer {self._tokens[role]}"})

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

    def version(self, learnt: Learnt | None = None) -> UUID:
        """A new version, with what was learnt about it attached."""
        learnt = learnt or Learnt()
        self.versions += 1
        version_id, job_id = uuid4(), uuid4()
        with self.database.begin("test") as uow:
            now = uow.now()
            if uow.session.get(RegisteredModelRow, "sentiment") is None:
                uow.session.add(RegisteredModelRow(name="sentiment", created_at=now))
            job = JobRow(
                id=job_id, kind="train", spec={}, refused_by=[], actor="test", correlationid="test", created_at=now
            )
            uow.session.add(job)
            uow.session.flush()
            row = ModelVersionRow(
                id=version_id,
                model="sentiment",
                version=self.versions,
                adapter=artifact(f"adapter {version_id}").model_dump(),
                base_model="file:///base",
                base_digest=digest("base"),
                feature_recipe="mid-last-mean-v1",
                target_modules=["query", "value"],
                head_digest=digest("head"),
                labels=list(LABELS),
                max_length=64,
                parents=[],
                datasets=[],
                job_id=job_id,
                created_at=now,
                created_by="test",
            )
            uow.session.add(row)
            uow.session.flush()
        self.learn(version_id, job_id, learnt)
        return version_id

    def learn(self, version: UUID, job: UUID, learnt: Learnt) -> None:
        results: list[ExportResult | EvaluateResult | AttackResult] = []
        results += [export(version, learnt.parity)] if learnt.exported else []
        if learnt.accuracy is not None:
            beside = paired(learnt.against, learnt.difference) if learnt.against else None
            results += [evaluation(version, learnt.accuracy, beside=beside)]
        results += [attack(version, learnt.attack_success)] if learnt.attack_success is not None else []
        if len(results) > learnt.exported:
            self._measured_rows()
        with self.database.begin("test") as uow:
            for result in results:
                data = result.model_dump(mode="json")
                row = AttachmentRow(
                    model_version_id=version,
                    kind=data["kind"],
                    digest=digest(data),
                    data=data,
                    dataset_version_id=None if isinstance(result, ExportResult) else result.dataset,
                    job_id=job,
                    created_at=uow.now(),
                )
                uow.session.add(row)

    def _measured_rows(self) -> None:
        with self.database.read() as session:
            known = session.exec(select(DatasetVersionRow).where(DatasetVersionRow.id == DATASET)).first()
        if known is None:
            self.dataset("reviews", 1, DATASET)

    def release(self, version: UUID, role: str = "operator", **body: Any) -> dict[str, Any]:
        body = {"deployment": "reviews", "model_version": str(version), "reason": "a test", **body}
        return ok(self.client(role).post("/v1/rollouts", json=body))

    def rollout(self, rollout_id: str) -> dict[str, Any]:
        return ok(self.client("viewer").get(f"/v1/rollouts/{rollout_id}"))

    def phases(self) -> list[str]:
        """The phase of every rollout, oldest first."""
        return [item["phase"] for item in reversed(ok(self.client("viewer").get("/v1/rollouts"))["items"])]

    def deployment(self) -> dict[str, Any]:
        return ok(self.client("viewer").get("/v1/deployments/reviews"))

    def alias(self) -> dict[str, Any]:
        return ok(self.client("viewer").get("/v1/models/sentiment/aliases/champion"))

    def moves(self) -> list[dict[str, Any]]:
        """The moves of the champion alias, newest first."""
        return ok(self.client("viewer").get("/v1/models/sentiment/aliases/champion/history"))["items"]  # type: ignore[no-any-return]

    def decisions(self, rollout_id: str) -> list[dict[str, Any]]:
        viewer = self.client("viewer")
        listed = viewer.get(f"/v1/rollouts/{rollout_id}/decisions").json()
        return [ok(viewer.get(f"/v1/decisions/{item['id']}")) for item in listed]

    def first_champion(self) -> UUID:
        """Released with no gateway live."""
        version = self.version()
        self.release(version)
        self.turn()
        assert self.deployment()["desired"]["stable"] == str(version)
        return version

    def canary(self, *gateways: "Gateway", version: UUID | None = None) -> dict[str, Any]:
        """A rollout whose canary has its first weight on all these gateways."""
        rollout = self.release(version or self.version())
        for gateway in gateways:
            gateway.report()
        self.turn()
        rollout = self.rollout(rollout["id"])
        assert rollout["phase"] == "Progressing", rollout
        return rollout


class Gateway:
    """Answers probes, reports and observes as a gateway would; traffic and faults are the test's."""

    def __init__(
        self, site: Site, name: str = "gateway-1", first_second: int | None = None, clock_behind: int = 0
    ) -> None:
        self._client = site.client("gateway")
        self._labeller = site.client("feedback")
        self.name, self.boot = name, uuid4()
        # ahead of the database's clock, so that labels never wait for it
        self.second = (first_second if first_second is not None else int(time.time()) + 1000) - clock_behind
        self._clock_behind = clock_behind
        self.lease = 0.0
        self._units = 0
        self.register()

    def register(self) -> None:
        body = {
            "boot": str(self.boot),
            "gateway": self.name,
            "deployment": "reviews",
            "first_second": self.second,
            "sent_second": int(time.time()) - self._clock_behind,
        }
        assert self._client.post("/v1/gateway/boots", json=body).status_code == 204

    def restart(self) -> UUID:
        """Another life of the same gateway; answers the boot that is over."""
        over, self.boot = self.boot, uuid4()
        self.register()
        return over

    def generation(self) -> Generation:
        return Generation.model_validate(ok(self._client.get("/v1/deployments/reviews/generation")))

    def report(self, *, ok_: bool = True, detail: str = "") -> None:
        """Everything is loaded, and the probe answered as the test wants."""
        desired = self.generation()
        versions = [v for v in (desired.stable, desired.canary, desired.probe_version) if v]
        body: dict[str, Any] = {
            "boot": str(self.boot),
            "generation": desired.generation,
            "applied_weight": desired.weight if self.lease else 0.0,
            "loaded": [str(version.id) for version in versions] if ok_ else [],
        }
        if desired.probe and desired.probe_version:
            answer = {"probe": str(desired.probe), "version": str(desired.probe_version.id), "ok": ok_}
            body["probed"] = [{**answer, "detail": detail}]
        assert self._client.post("/v1/gateway/reports", json=body).status_code == 204

    def seen(
        self,
        units: int = 0,
        *,
        canary_errors: float = 0.0,
        stable_errors: float = 0.0,
        canary_share: float | None = None,
    ) -> dict[str, Any]:
        """One second of traffic under the present generation, split by its weight unless the test says otherwise."""
        desired = self.generation()
        canary = round(units * (desired.weight if canary_share is None else canary_share))
        stable = units - canary
        return {
            "generation": desired.generation,
            "applied_weight": desired.weight,
            "stable": {"units": stable, "error": round(stable * stable_errors)},
            "canary": {"units": canary, "error": round(canary * canary_errors)},
        }

    def observe(self, units: int = 0, **how: Any) -> None:
        """The next second, accepted."""
        answer = ok(self.send(self.second, [self.seen(units, **how)]))
        self.lease = answer["lease_seconds"]
        self.second += 1

    def send(self, second: int, generations: list[dict[str, Any]]) -> Any:
        body = {"boot": str(self.boot), "second": second, "generations": generations}
        return self._client.post("/v1/gateway/observations", json=body)

    def send_lost(self, boot: UUID, seconds: list[tuple[int, dict[str, Any]]]) -> Any:
        observations = [{"boot": str(boot), "second": s, "generations": [g]} for s, g in seconds]
        return self._client.post("/v1/gateway/lost-units", json={"boot": str(boot), "seconds": observations})

    def prediction(
        self,
        arm: Arm,
        answer: str,
        *,
        unit: str | None = None,
        row: int = 0,
        keyed: bool = False,
        second: int | None = None,
        counted: bool = True,
    ) -> str:
        """A signed id of one answer of the last observed second, counted."""
        desired = self.generation()
        version = desired.canary if arm == "canary" else desired.stable
        assert version is not None
        self._units += 1
        claims = PredictionClaims(
            d=desired.deployment,
            r=desired.rollout_id,
            g=desired.generation,
            s=desired.step,
            v=version.id,
            a=arm,
            u=unit or f"unit-{self._units}",
            i=row,
            c=answer,
            n=counted and desired.rollout_id is not None and desired.weight > 0,
            k=keyed,
            b=self.boot,
            t=self.second - 1 if second is None else second,
        )
        return encode_prediction_id(claims, desired.signing_key)

    def label(self, seconds: int) -> None:
        """So many seconds with a label for each version: the stable one errs in every fifth, the canary always.

        Each second's labels come before the next second does, so a slow machine makes none of them late.
        """
        for number in range(seconds):
            self.observe(40)
            stable, canary = self.prediction("stable", "positive"), self.prediction("canary", "negative")
            assert ok(self.feedback(stable, "positive" if number % 5 else "negative")) == {"counted": True}
            assert ok(self.feedback(canary, "positive")) == {"counted": True}

    def feedback(self, prediction_id: str, label: str) -> Any:
        return self._labeller.post("/v1/feedback", json={"prediction_id": prediction_id, "label": label})


def ok(response: Any) -> Any:
    assert response.status_code < 300, response.text
    return response.json()


def graph_of(version: UUID) -> GraphRef:
    return GraphRef(
        base_graph=artifact("base graph"),
        adapter=artifact(f"graph of {version}"),
        tokenizer=artifact("tokenizer"),
        base_digest=digest("base"),
        feature_recipe="mid-last-mean-v1",
        target_modules=("query", "value"),
        labels=LABELS,
        max_length=64,
    )


def export(version: UUID, max_abs_diff: float, rows: int = 16) -> ExportResult:
    return ExportResult(
        model_version=version, graph=graph_of(version), max_abs_diff=max_abs_diff, label_agreement=1.0, rows=rows
    )


def paired(against: UUID, difference: float, spread: float = 0.01) -> Paired:
    """A comparison on 1,000 rows, on half of which something happened to both."""
    happened = round(1000 * difference)
    return Paired(
        against=against,
        graph=graph_of(against),
        both=500,
        only_this=max(0, happened),
        only_other=max(0, -happened),
        neither=500 - abs(happened),
        difference=happened / 1000,
        low=happened / 1000 - spread,
        high=happened / 1000 + spread,
    )


def evaluation(
    version: UUID, accuracy: float, *, split: str = "test", dataset: UUID = DATASET, beside: Paired | None = None
) -> EvaluateResult:
    score = ClassScore(precision=accuracy, recall=accuracy, f1=accuracy, support=500)
    return EvaluateResult(
        model_version=version,
        dataset=dataset,
        split=split,
        graph=graph_of(version),
        rows_digest=digest("test rows"),
        rows_trained_on=0,
        accuracy=interval(accuracy),
        macro_f1=accuracy,
        per_class=dict.fromkeys(LABELS, score),
        outcomes=artifact("outcomes"),
        paired=beside,
    )


def attack(version: UUID, success: float, **said: Any) -> AttackResult:
    broken = round(1000 * success)
    fields: dict[str, Any] = {
        "model_version": version,
        "dataset": DATASET,
        "split": "test",
        "graph": graph_of(version),
        "recipe": "deepwordbug",
        "rows_digest": digest("drawn rows"),
        "rows_trained_on": 0,
        "queries_per_word": 10,
        "seed": 0,
        "succeeded": broken,
        "failed": 1000 - broken,
        "out_of_budget": 0,
        "skipped": 100,
        "success_rate": interval(success, 0.1),
        "worst_success_rate": interval(success, 0.1),
        "clean_accuracy": Interval(value=1 / 1.1, low=0.88, high=0.93, n=1100),
        "accuracy_under_attack": Interval(value=0.5, low=0.4, high=0.6, n=1100),
        "mean_queries": 20.0,
        "examples": artifact("examples"),
    }
    return AttackResult(**fields | said)
