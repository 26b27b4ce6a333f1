"""Two versions of a tiny decoder that nobody trained, exported by the real export and planted as jobs leave them."""

from pathlib import Path
from typing import Final
from uuid import UUID

from controlplane.store.unit_of_work import UnitOfWork
from tests.support.builders.decoder_adapters import decoder_adapter
from tests.support.builders.decoder_exports import WIDE
from tests.support.builders.decoders import build_tiny_decoder
from tests.support.builders.planted import plant_attachment, plant_job, plant_model, plant_version
from tests.support.builders.specs import export_spec
from tests.support.workbench import Workbench
from workers.export.handler import handle

MODEL: Final = "films"
TOKENS: Final = 128
"""The base's context: an answer is long enough to hang up in its middle."""


def plant_versions(uow: UnitOfWork, folder: Path) -> list[UUID]:
    """Oldest first. Their files lie in the store of a workbench in `folder`."""
    base = build_tiny_decoder(folder / "base" / "tiny", **WIDE, max_position_embeddings=TOKENS)
    bench = Workbench(folder, base)
    plant_model(uow, MODEL, versions=2)
    planted, base_graph = [], None
    for number in (1, 2):
        ref = bench.store(decoder_adapter(base, 4, number, ("q_proj", "v_proj")), number)
        export = handle(export_spec(ref, base_graph=base_graph), bench.context())
        base_graph = export.graph.base_graph
        job = plant_job(uow)
        stored = {"adapter": ref.adapter.model_dump(mode="json"), "identity": ref.identity.model_dump(mode="json")}
        plant_version(uow, job, number, id=ref.id, model=MODEL, **stored)
        plant_attachment(uow, export, job.id)
        planted.append(ref.id)
    return planted
