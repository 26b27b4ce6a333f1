"""Base graphs that exports left: one serves, in its precision, every version that it has inputs for.

A version that leaves some of a graph's target modules alone gives those inputs nothing, which adds nothing.
"""

from sqlmodel import Session, col, select

from controlplane.domain.canonical import digest
from controlplane.store.insert import insert_once
from controlplane.store.tables import BaseGraphRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.artifacts import ArtifactRef
from schemas.model.identity import ModelIdentity
from schemas.model.precision import Precision
from schemas.model.references import GraphRef


def find_base_graph(session: Session, identity: ModelIdentity, precision: Precision) -> ArtifactRef | None:
    """The graph with the fewest inputs of those that serve a version; None: it has to be exported."""
    if (inputs := identity.form.shared_inputs()) is None:
        return None
    family = _family(identity, precision)
    query = select(BaseGraphRow).where(BaseGraphRow.family == family).order_by(col(BaseGraphRow.created_at))
    wanted = set(inputs)
    fitting = [row for row in session.exec(query) if wanted <= set(row.target_modules)]
    found = min(fitting, key=lambda row: len(row.target_modules), default=None)
    return ArtifactRef.model_validate(found.artifact) if found else None


def keep_base_graph(uow: UnitOfWork, graph: GraphRef) -> None:
    """The first one is kept: later versions of its family that it serves share it. One of a version's own is not."""
    if (inputs := graph.identity.form.shared_inputs()) is None:
        return
    family, modules = _family(graph.identity, graph.precision), sorted(inputs)
    row = BaseGraphRow(
        key=digest([family, modules]),
        family=family,
        target_modules=modules,
        artifact=graph.base_graph.model_dump(mode="json"),
        created_at=uow.now(),
    )
    insert_once(uow, row)


def _family(identity: ModelIdentity, precision: Precision) -> str:
    """Versions that may share a graph as far as their target modules allow."""
    return digest([identity.base.digest, precision, *identity.task.graph_recipe()])
