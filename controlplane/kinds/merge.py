"""Merging, as the control plane knows it."""

from collections.abc import Iterator

from controlplane.domain.claims import Claim, same, same_modules
from controlplane.kinds.kind import Kind, Registry
from schemas.jobs.merge import MergeResult, MergeSpec


def _claims(spec: MergeSpec, result: MergeResult, registry: Registry) -> Iterator[Claim]:
    sources = [source.model_version for source in spec.sources]
    yield same("model", result.model, spec.model)
    for field in ("base_model", "base_digest", "feature_recipe", "head_digest", "labels"):
        yield same(field, getattr(result, field), getattr(sources[0], field))
    yield same("max_length", result.max_length, max(source.max_length for source in sources))
    yield same("privacy", result.privacy, None)
    rank = sum(registry.rank(source.id) for source in sources)
    yield Claim("r", result.r, result.r == rank, f"{rank}, the sum of the sources' ranks")
    modules = frozenset[str]().union(*(registry.target_modules(source.id) for source in sources))
    yield same_modules("target_modules", result.target_modules, modules)


KIND = Kind(_claims)
