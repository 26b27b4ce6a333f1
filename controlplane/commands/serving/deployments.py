"""Deployments: each follows one alias of one model, by one policy, with a signing key of its own."""

import base64
import secrets
from uuid import UUID

from sqlmodel import select

from controlplane.commands.serving.generations import Desired, lock_deployment, set_generation
from controlplane.commands.spine.revisions import keep_revision
from controlplane.domain.alias import check_alias_name
from controlplane.errors import Conflict
from controlplane.projections.aliases import find_follower
from controlplane.projections.deployments import current_generation
from controlplane.projections.models import find_graph
from controlplane.store.insert import insert_once
from controlplane.store.serving_tables import DeploymentRow
from controlplane.store.tables import AliasRow, RegisteredModelRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.rollouts import DeploymentSpec, RolloutPolicy

KEY_BYTES = 32


def put_deployment(
    uow: UnitOfWork, name: str, spec: DeploymentSpec, reason: str | None = None
) -> tuple[DeploymentRow, bool]:
    """Create a deployment or give it another policy; True when it is new. A rollout under way keeps its own policy,
    and the same policy again changes nothing.

    The model may be younger than its deployment: it is registered by name. An alias that points to a version already
    is served from the first generation on.
    """
    check_alias_name(spec.alias)
    insert_once(uow, RegisteredModelRow(name=spec.model, created_at=uow.now()))
    row = DeploymentRow(
        name=name,
        model=spec.model,
        alias=spec.alias,
        policy={},
        signing_key=base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode(),
        created_at=uow.now(),
    )
    if insert_once(uow, row):
        deployment = lock_deployment(uow, name)
        _keep_policy(uow, deployment, spec, reason)
        _adopt(uow, deployment)
        return deployment, True
    return _update(uow, name, spec, reason), False


def _update(uow: UnitOfWork, name: str, spec: DeploymentSpec, reason: str | None) -> DeploymentRow:
    follower = find_follower(uow.session, spec.model, spec.alias)
    if follower is not None and follower != name:
        raise Conflict(f"deployment {follower!r} follows {spec.model}@{spec.alias} already", field="alias")
    row = lock_deployment(uow, name)
    if (row.model, row.alias) != (spec.model, spec.alias):
        raise Conflict(
            f"deployment {name!r} follows {row.model}@{row.alias} for good, not {spec.model}@{spec.alias}: "
            "create another deployment",
            field="model",
        )
    told = _told(row)
    _keep_policy(uow, row, spec, reason)
    if _told(row) != told:
        _tell_gateways(uow, row)
    return row


def _keep_policy(uow: UnitOfWork, row: DeploymentRow, spec: DeploymentSpec, reason: str | None) -> None:
    document = spec.model_dump(mode="json")
    if row.policy != document["policy"]:
        row.revision = keep_revision(uow, "deployment", row.name, document, reason)
        row.policy = document["policy"]
        uow.session.flush()


def _told(deployment: DeploymentRow) -> tuple[str, float, float, float]:
    """What a generation says of the policy."""
    canary = RolloutPolicy.model_validate(deployment.policy).canary
    return canary.randomize, canary.deadline_seconds, canary.total_deadline(), canary.lease_seconds


def _tell_gateways(uow: UnitOfWork, deployment: DeploymentRow) -> None:
    """Gateways hear of generations only. A rollout or rollback under way has a policy or a probe of its own, and the
    generation that ends it tells the rest."""
    current = current_generation(uow.session, deployment)
    if current is not None and current.rollout_id is None and current.probe is None:
        set_generation(uow, deployment, deployment.generation, Desired(stable=current.stable), "the policy changed")


def _adopt(uow: UnitOfWork, deployment: DeploymentRow) -> None:
    version = _alias_version(uow, deployment)
    if version is None:
        return
    if find_graph(uow.session, version) is None:
        raise Conflict(
            f"{deployment.model}@{deployment.alias} points to version {version}, which has no export: "
            "export it, or remove the alias",
            field="alias",
        )
    set_generation(uow, deployment, 0, Desired(stable=version), "the alias pointed to it when the deployment was made")


def _alias_version(uow: UnitOfWork, deployment: DeploymentRow) -> UUID | None:
    # locked, so that it cannot move between this look and the commit that binds it
    query = select(AliasRow).where(AliasRow.model == deployment.model, AliasRow.alias == deployment.alias)
    row = uow.session.exec(query.with_for_update()).one_or_none()
    return row.model_version_id if row else None
