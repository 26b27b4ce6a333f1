"""Labels of a canary's traffic: whose labels are known, when they count, and how late they come."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, delete, select, update

from controlplane.store.serving_tables import LabelRow
from controlplane.store.tables import ModelVersionRow
from schemas.serving import Arm
from tests.support.answers import ok
from tests.support.builders.models import IDENTITY, varied
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import CANARY, InProcess

METRICS = [{"name": "error", "margin": 0.1}, {"name": "wrong", "margin": 0.05}]


def learns(site: InProcess, version: UUID | str, labels: Sequence[str]) -> None:
    said = varied(IDENTITY, task={"labels": tuple(labels)}).model_dump(mode="json")
    with site.database.begin("a test") as uow:
        uow.execute(update(ModelVersionRow).where(col(ModelVersionRow.id) == UUID(str(version))).values(identity=said))


def under_canary(site: InProcess, stable: Sequence[str], canary: Sequence[str]) -> Gateway:
    dropped = sorted(set(stable) - set(canary))
    site.deploy(canary={**CANARY, "metrics": METRICS}, may_drop=dropped)
    learns(site, site.first_champion(), stable)
    version = site.version()
    learns(site, version, canary)
    gateway = Gateway(site)
    site.canary(gateway, version=version)
    gateway.observe(40)
    return gateway


def rollout_id(site: InProcess) -> str:
    return str(ok(site.client("viewer").get("/v1/rollouts"))["items"][0]["id"])


def kept(site: InProcess) -> list[tuple[str, bool, bool]]:
    with site.database.read() as session:
        rows = session.exec(select(LabelRow).order_by(col(LabelRow.seq)))
        return [(row.arm, row.wrong, row.counted) for row in rows]


@pytest.mark.parametrize(
    ("stable", "canary"),
    [(("negative", "positive"), ("negative", "positive", "neutral")),
     (("negative", "positive", "neutral"), ("negative", "positive"))],
    ids=["the canary adds a class", "the canary lacks a class"],
)  # fmt: skip
def test_a_label_that_either_version_knows_is_one_for_both(
    site: InProcess, stable: Sequence[str], canary: Sequence[str]
) -> None:
    gateway = under_canary(site, stable, canary)
    assert ok(gateway.feedback(gateway.prediction("stable", "positive"), "neutral")) == {"counted": True}
    assert ok(gateway.feedback(gateway.prediction("canary", "positive"), "neutral")) == {"counted": True}
    assert kept(site) == [("stable", True, True), ("canary", True, True)]


def test_a_label_that_no_version_knows_is_refused_for_both(site: InProcess) -> None:
    gateway = under_canary(site, ("negative", "positive"), ("negative", "positive", "neutral"))
    for arm in ("stable", "canary"):
        refused = gateway.feedback(gateway.prediction(arm, "positive"), "Neutral")  # type: ignore[arg-type]
        assert (refused.status_code, refused.json()["field"]) == (422, "label")
        assert "negative, neutral, positive" in refused.json()["detail"]
    assert kept(site) == []


def test_outside_a_rollout_a_versions_own_labels_count(site: InProcess) -> None:
    gateway = under_canary(site, ("negative", "positive"), ("negative", "positive", "neutral"))
    body = {"reason": "enough"}
    ok(site.client("operator").post(f"/v1/rollouts/{rollout_id(site)}:abort", json=body))
    refused = gateway.feedback(gateway.prediction("stable", "positive"), "neutral")
    assert refused.status_code == 422
    assert ok(gateway.feedback(gateway.prediction("stable", "positive"), "positive")) == {"counted": False}


@pytest.mark.parametrize(("given", "known"), [("1.0", "1"), ("TRUE", "true"), ("cafe\u0301", "caf\u00e9")])
def test_one_label_has_one_form(site: InProcess, given: str, known: str) -> None:
    gateway = under_canary(site, (known, "other"), (known, "other"))
    ok(gateway.feedback(gateway.prediction("canary", known), given))
    assert kept(site) == [("canary", False, True)]


def test_an_answer_that_was_not_counted_has_a_label_that_is_not(site: InProcess) -> None:
    """The answer is of this very rollout, but was served while the canary had no weight that counts."""
    gateway = under_canary(site, ("negative", "positive"), ("negative", "positive"))
    prediction = gateway.prediction("stable", "positive", counted=False)
    assert ok(gateway.feedback(prediction, "positive")) == {"counted": False}


def test_delays_are_told_by_arm_and_a_wait_that_is_too_short_warns(site: InProcess) -> None:
    gateway = under_canary(site, ("negative", "positive"), ("negative", "positive"))
    for number in range(30):
        prediction = gateway.prediction("canary", "positive", second=gateway.second - 1 - 40 - number)
        ok(gateway.feedback(prediction, "positive"))
    rollout = site.rollout(rollout_id(site))
    told = rollout["label_delays"]
    assert set(told) == {"canary"}
    assert told["canary"]["labels"] == 30
    assert 50 <= told["canary"]["p50"] < told["canary"]["p95"]
    (warning,) = rollout["warnings"]
    assert warning.startswith("label_wait_seconds is 0, and 5 % of the latest 30 labels of reviews came more than")
    site.deploy(canary={**CANARY, "metrics": METRICS, "label_wait_seconds": 500})
    assert site.deployment()["warnings"] == []
    site.deploy(canary={**CANARY, "metrics": METRICS, "label_wait_seconds": 5})
    assert len(site.deployment()["warnings"]) == 1


def test_who_labelled_is_told_with_what_each_said_and_a_decision_keeps_it(site: InProcess) -> None:
    gateway = under_canary(site, ("negative", "positive"), ("negative", "positive"))
    persons = [site.person(name, "feedback") for name in ("shop", "shop", "eve")]

    def label(person: int, arm: Arm, label: str, **how: Any) -> None:
        body = {"prediction_id": gateway.prediction(arm, "positive", **how), "label": label}
        ok(persons[person].post("/v1/feedback", json=body))

    label(0, "stable", "positive")
    label(0, "canary", "negative", counted=False)
    label(1, "canary", "negative")
    for _ in range(3):
        label(2, "stable", "negative")
    told = site.rollout(rollout_id(site))["labelled_by"]
    numbers = ("labels", "stable", "stable_wrong", "canary", "canary_wrong")
    assert [(one["actor"], *(one[name] for name in numbers)) for one in told] == [
        ("eve", 3, 3, 3, 0, 0),
        ("shop", 2, 1, 0, 0, 0),
        ("shop", 1, 0, 0, 1, 1),
    ]
    assert len({one["token_id"] for one in told}) == 3
    ok(site.client("operator").post(f"/v1/rollouts/{rollout_id(site)}:abort", json={"reason": "enough"}))
    with site.database.begin("a test") as uow:
        uow.execute(delete(LabelRow))
    assert site.rollout(rollout_id(site))["labelled_by"] == []
    decision = site.decisions(rollout_id(site))[-1]
    assert decision["recomputed"]
    assert [line for line in decision["why"] if line.startswith("labelled by")] == [
        f"labelled by eve (token {told[0]['token_id']}): 3 labels; 3 of the stable version count (3 wrong), "
        "0 of the canary (0 wrong)",
        f"labelled by shop (token {told[1]['token_id']}): 2 labels; 1 of the stable version count (0 wrong), "
        "0 of the canary (0 wrong)",
        f"labelled by shop (token {told[2]['token_id']}): 1 labels; 0 of the stable version count (0 wrong), "
        "1 of the canary (1 wrong)",
    ]


def test_what_the_evidence_decides_names_who_labelled(site: InProcess) -> None:
    gateway = under_canary(site, ("negative", "positive"), ("negative", "positive"))
    gateway.label(40)
    for _ in range(24):
        gateway.observe(40)
        site.turn()
    decision = site.decisions(rollout_id(site))[-1]
    assert (decision["kind"], decision["verdict"], decision["recomputed"]) == ("canary", "HARM", True)
    assert any(line.startswith("labelled by feedback ") for line in decision["why"])


@pytest.mark.parametrize("role", ["viewer", "operator", "releaser", "auditor", "gateway"])
def test_who_reads_or_releases_does_not_label(site: InProcess, role: str) -> None:
    gateway = under_canary(site, ("negative", "positive"), ("negative", "positive"))
    body = {"prediction_id": gateway.prediction("canary", "positive"), "label": "positive"}
    assert site.client(role).post("/v1/feedback", json=body).status_code == 403
    assert kept(site) == []
